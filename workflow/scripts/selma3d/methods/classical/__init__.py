"""Segmentation without learning: filters whose few numbers are chosen on training patches."""
