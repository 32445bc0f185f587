"""Ways to a mask besides recipes: other packages, classical filters, containers, given masks."""
