"""Figures of a track's ranking: each module draws the one that it is named after.

A new module here is a new figure. It has a docstring, the caption; CATEGORY, the heading that it
stands under; PLACE, its order in the report; TITLE, in words; IN_A_PAPER, what
papers call it; and `draw(tables, styles)`, which draws it from the track's ranking tables.
"""

from pathlib import Path

from ..catalogue import Catalogue

FIGURES = Catalogue("figure", __name__, Path(__file__).parent)
