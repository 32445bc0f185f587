"""Pages of segmented brains, and the table over all of them."""
