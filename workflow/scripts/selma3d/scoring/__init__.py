"""Scores: metrics, score tables, and the check of predictions before they are scored."""
