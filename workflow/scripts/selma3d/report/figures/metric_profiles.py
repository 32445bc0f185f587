"""Places under the edition's own metrics, quirks included, and under the robust definitions of the
same metrics. Where lines cross, a quirk has changed a place.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from ...ranking.tables import Tables
from ..drawing import canvas, place_lines
from ..drawing.entrants import EntrantStyles

CATEGORY, PLACE = "Stability of the ranking", 12
TITLE = "Places under robust definitions of the metrics"
IN_A_PAPER = "Ranking under other metric definitions"


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Line plot of places under the edition's metric profile and under `robust`."""
    both = tables["profile_places"]
    if both.empty:
        return canvas.statement(
            "The metric profile in force is the robust one: nothing to compare."
        )
    if (both["place_profile"] == both["place_robust"]).all():
        return canvas.statement(
            f"All {len(both)} entrants keep their places under the robust definitions of the "
            "edition's metrics."
        )
    wide = both.set_index(["method", "init"])[["place_profile", "place_robust"]]
    return place_lines.draw_places(tables, wide, ["edition's\nmetrics", "robust\nmetrics"], styles)
