"""Podium plot, a panel a structure, on its first metric. Above: a thin line is a case, from the
score on its first podium to that on its last; symbols are entrants. Below: in how many cases an
entrant stood on a podium. Ties share the better place. With more than eight entrants, the eight
best of the leaderboard are ranked among themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...challenge.display import Entrant
from ...ranking.tables import Tables
from .. import labels
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles
from ..ranking_rows import case_ranks, extent_of, in_order, metrics_of, ranked_cases

CATEGORY, PLACE = "Ranking", 3
TITLE = "Podiums case by case"
IN_A_PAPER = "Podium plot"
SHOWN = 8  # more entrants than podia fit a page
FEW = 4


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Podium plot of `cases`, on each structure's first metric."""
    cases = ranked_cases(tables)
    if cases.empty:
        return canvas.statement("No case has been scored with every training patch.", "page")
    entrants = in_order(tables, cases)[:SHOWN]
    chosen = pd.MultiIndex.from_frame(cases[["method", "init"]]).isin(entrants)
    cases = cases[chosen].dropna(subset="value").copy()
    first = {name: metrics[0] for name, metrics in metrics_of(cases).items()}
    cases = cases[cases["metric"] == cases["structure"].map(first)]
    cases["rank"] = case_ranks(cases).astype(int)
    # Three side by side where the podia of so few entrants leave room.
    per_row = min(len(first), 3 if len(entrants) <= FEW else 2)
    rows = -(-len(first) // per_row)
    figure = canvas.sheet("page" if per_row > 1 else "column", 62 * rows)
    spec = figure.add_gridspec(2 * rows, per_row, height_ratios=[3, 1] * rows)
    for order, (structure, metric) in enumerate(first.items()):
        row, column = divmod(order, per_row)
        above = figure.add_subplot(spec[2 * row, column])
        below = figure.add_subplot(spec[2 * row + 1, column], sharex=above)
        _draw_structure(above, below, cases[cases["structure"] == structure], entrants, styles)
        extent = extent_of(cases[cases["structure"] == structure])
        above.set_title(f"{styles.structure(structure)}\n{extent}")
        above.set_ylabel(labels.metric_name(metric))
        facets.scale_values(above, metric, cases.loc[cases["structure"] == structure, "value"], "y")
    canvas.key(figure, styles.symbols(entrants))
    return figure


def _draw_structure(
    above: Axes,
    below: Axes,
    cases: pd.DataFrame,
    entrants: Sequence[Entrant],
    styles: EntrantStyles,
) -> None:
    width = 0.8 / len(entrants)
    lanes = {entrant: -0.4 + (order + 0.5) * width for order, entrant in enumerate(entrants)}
    keys = pd.Series(
        list(cases[["method", "init"]].itertuples(index=False, name=None)), index=cases.index
    )
    cases = cases.assign(x=cases["rank"] + keys.map(lanes))
    for _, case in cases.groupby("case"):
        line = case.sort_values("x")
        above.plot(line["x"], line["value"], color="#b5b5b5", linewidth=0.5, zorder=1)
    for entrant in entrants:
        own, own_style = cases[keys == entrant], styles[entrant]
        above.scatter(own["x"], own["value"], s=7, zorder=3, **own_style.dots)
        counts = own["rank"].value_counts()
        below.bar(
            counts.index + lanes[entrant],
            counts,
            width=width,
            facecolor=own_style.face,
            edgecolor=own_style.edge,
            hatch=own_style.hatch,
        )
    places = np.arange(1, len(entrants) + 1)
    below.set_xticks(places)
    below.set_xlim(0.5, len(entrants) + 0.5)
    below.set_xlabel("podium (rank in the case)")
    below.set_ylabel("cases")
    below.locator_params(axis="y", nbins=3, integer=True)
    above.tick_params(labelbottom=False)
    for place in places[:-1]:
        above.axvline(place + 0.5, color=canvas.RULE, linewidth=0.5, zorder=0)
        below.axvline(place + 0.5, color=canvas.RULE, linewidth=0.5, zorder=0)
