"""State of a run while it lives, and an estimate of what it will cost."""
