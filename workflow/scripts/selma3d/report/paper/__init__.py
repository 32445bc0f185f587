"""The manuscript: a LaTeX skeleton, its exhibits, and the numbers in its text as macros."""
