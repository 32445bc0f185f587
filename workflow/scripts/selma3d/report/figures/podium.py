"""Podium plot: who took which place in each case, and with what score (after challengeR)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import display
from . import facets, style
from .looks import Entrant, Looks
from .ranking_plots import case_ranks
from .scores import ranked_cases

SHOWN = 8  # more entrants than podia fit a page


def draw_podium(tables: Mapping[str, pd.DataFrame], looks: Looks) -> Figure:
    """Podium plot of `cases`, on each structure's first metric."""
    cases = ranked_cases(tables)
    if cases.empty:
        return style.statement("No case has been scored with every training patch.", "page")
    entrants = facets.in_order(tables, cases)[:SHOWN]
    chosen = pd.MultiIndex.from_frame(cases[["method", "init"]]).isin(entrants)
    cases = cases[chosen].dropna(subset="value").copy()
    first = {name: metrics[0] for name, metrics in facets.metrics_of(cases).items()}
    cases = cases[cases["metric"] == cases["structure"].map(first)]
    cases["rank"] = case_ranks(cases).astype(int)
    per_row = 2 if len(first) > 1 else 1
    rows = -(-len(first) // per_row)
    figure = style.sheet("page" if per_row > 1 else "column", 62 * rows)
    spec = figure.add_gridspec(2 * rows, per_row, height_ratios=[3, 1] * rows)
    for order, (structure, metric) in enumerate(first.items()):
        row, column = divmod(order, per_row)
        above = figure.add_subplot(spec[2 * row, column])
        below = figure.add_subplot(spec[2 * row + 1, column], sharex=above)
        _draw_structure(above, below, cases[cases["structure"] == structure], entrants, looks)
        above.set_title(looks.structure(structure))
        above.set_ylabel(display.metric_name(metric))
        facets.scale_values(above, metric, cases.loc[cases["structure"] == structure, "value"], "y")
    handles = [
        Line2D([], [], label=looks[e].label, linestyle="", **_symbol(looks, e)) for e in entrants
    ]
    style.key(figure, handles)
    return figure


def _symbol(looks: Looks, entrant: Entrant) -> dict[str, object]:
    curve = looks[entrant].curve
    return {key: value for key, value in curve.items() if key != "linestyle"}


def _draw_structure(
    above: Axes, below: Axes, cases: pd.DataFrame, entrants: Sequence[Entrant], looks: Looks
) -> None:
    width = 0.8 / len(entrants)
    lanes = {entrant: -0.4 + (order + 0.5) * width for order, entrant in enumerate(entrants)}
    keys = pd.Series(
        list(cases[["method", "init"]].itertuples(index=False, name=None)), index=cases.index
    )
    cases = cases.assign(x=cases["rank"] + keys.map(lanes))
    for _, case in cases.groupby("case"):
        line = case.sort_values("x")
        above.plot(line["x"], line["value"], color="#c9c9c9", linewidth=0.35, zorder=1)
    for entrant in entrants:
        own, look = cases[keys == entrant], looks[entrant]
        above.scatter(own["x"], own["value"], s=7, zorder=3, **look.dots)
        counts = own["rank"].value_counts()
        below.bar(
            counts.index + lanes[entrant],
            counts,
            width=width,
            facecolor=look.face,
            edgecolor=look.edge,
            hatch=look.hatch,
        )
    places = np.arange(1, len(entrants) + 1)
    below.set_xticks(places)
    below.set_xlim(0.5, len(entrants) + 0.5)
    below.set_xlabel("podium (rank in the case)")
    below.set_ylabel("cases")
    below.locator_params(axis="y", nbins=3, integer=True)
    above.tick_params(labelbottom=False)
    for place in places[:-1]:
        above.axvline(place + 0.5, color=style.RULE, linewidth=0.5, zorder=0)
        below.axvline(place + 0.5, color=style.RULE, linewidth=0.5, zorder=0)
