"""The check of a machine's GPU: what must hold before a week of jobs runs on it."""
