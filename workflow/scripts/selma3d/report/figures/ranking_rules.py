"""Places under three ranking rules: mean over cases, then rank; rank in each case, then mean; and
the number of significant wins, then rank. Where lines cross, the place depends on the rule.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from ...ranking.tables import Tables
from ..drawing import canvas, place_lines
from ..drawing.entrants import EntrantStyles

CATEGORY, PLACE = "Stability of the ranking", 11
TITLE = "Places under other ranking rules"
IN_A_PAPER = "Ranking under other rules (line plot)"


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Line plot of places under each ranking rule."""
    rules = tables["rules"]
    if rules.empty:
        return canvas.statement("No ranking rule has been applied.")
    wide = rules.pivot_table(index=["method", "init"], columns="rule", values="place", sort=False)
    names = {rule: rule.replace("-then-", ",\nthen ") for rule in wide.columns}
    for rule, places in wide.items():
        if len(places) > 1 and places.nunique() == 1:  # as where nothing can be significant
            names[rule] += "\n(all tie)"
    return place_lines.draw_places(tables, wide, list(names.values()), styles)
