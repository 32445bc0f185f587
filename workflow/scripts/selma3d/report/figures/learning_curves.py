"""Scores over the number of training patches per structure (equally spaced). Points: means over
cases; bands: 95 % bootstrap intervals, where there are at least six known specimens. Dashed
lines with open symbols start from scratch. Arrows say which direction is better.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...challenge.display import Entrant
from ...challenge.run import NO_INIT
from ...ranking.tables import Tables
from .. import labels
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles
from ..gains import budgets_in_order
from ..ranking_rows import ONE_BUDGET, in_order, metrics_of

CATEGORY, PLACE = "Pretraining", 7
TITLE = "Scores by number of training patches"
IN_A_PAPER = "Results over the amount of labels"
PAGE_MM = 225
MANY = 8  # entrants in one panel; with more, each method gets a column of panels


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Learning curves of `curves`; with many entrants, a column of panels a method."""
    curves = tables["curves"].dropna(subset="mean")
    if curves.empty:
        return canvas.statement("No method was trained on label budgets.", "page")
    if curves["budget"].nunique() == 1:
        return canvas.statement(ONE_BUDGET, "page")
    curves = curves.assign(at=curves["budget"].astype(str).map(budgets_in_order(curves).index))
    entrants = in_order(tables, curves)
    if len(entrants) > MANY:
        return _draw_apart(curves, entrants, styles)
    return _draw_together(curves, entrants, styles)


def _draw_together(
    curves: pd.DataFrame, entrants: Sequence[Entrant], styles: EntrantStyles
) -> Figure:
    """A band a structure, a panel a metric."""
    metrics = metrics_of(curves)
    columns = max(len(names) for names in metrics.values())
    figure = canvas.sheet("page" if columns > 1 else "column", 46 * len(metrics))
    spec = figure.add_gridspec(len(metrics), columns)
    for band, (structure, its_metrics) in enumerate(metrics.items()):
        for column, metric in enumerate(its_metrics):
            axes = figure.add_subplot(spec[band, column])
            _draw_panel(axes, curves, structure, metric, entrants, styles)
            axes.set_xlabel("training patches")
            axes.set_ylabel(facets.broken(labels.metric_name(metric), 24))
            if column == 0:
                axes.set_title(styles.structure(structure))
    canvas.key(figure, styles.lines(entrants))
    return figure


def _draw_apart(curves: pd.DataFrame, entrants: Sequence[Entrant], styles: EntrantStyles) -> Figure:
    """A row a structure's metric, a column a method, so that each panel compares inits alone."""
    metrics = metrics_of(curves)
    rows = [(name, metric) for name, its_metrics in metrics.items() for metric in its_metrics]
    methods = list(dict.fromkeys(method for method, _ in entrants))
    figure = canvas.sheet("page", min(30, PAGE_MM / len(rows)) * len(rows))
    grid = figure.subplots(len(rows), len(methods), sharex=True, sharey="row", squeeze=False)
    for (structure, metric), line in zip(rows, grid, strict=True):
        for method, axes in zip(methods, line, strict=True):
            own = [entrant for entrant in entrants if entrant[0] == method]
            _draw_panel(axes, curves, structure, metric, own, styles)
        name = labels.metric_name(metric, unit=False)
        line[0].set_ylabel(f"{styles.structure(structure)}\n{name}")
    characters = max(8, 100 // len(methods))
    for method, axes in zip(methods, grid[0], strict=True):
        title = styles[method, NO_INIT].label
        axes.set_title(facets.broken(title, characters))
    grid[-1, len(methods) // 2].set_xlabel("training patches per structure")
    grey = {"color": canvas.NEUTRAL, "markeredgecolor": canvas.NEUTRAL}
    handles = []
    for init in dict.fromkeys(init for _, init in entrants):
        curve = styles[next(e for e in entrants if e[1] == init)].curve | grey
        face = "white" if curve["markerfacecolor"] == "white" else grey["color"]
        handles.append(canvas.sign(init, **curve | {"markerfacecolor": face}))
    canvas.key(figure, handles, 6)
    return figure


def _draw_panel(
    axes: Axes,
    curves: pd.DataFrame,
    structure: str,
    metric: str,
    entrants: Sequence[Entrant],
    styles: EntrantStyles,
) -> None:
    chosen = curves[(curves["structure"] == structure) & (curves["metric"] == metric)]
    for method, init in entrants:
        own = chosen[(chosen["method"] == method) & (chosen["init"] == init)].sort_values("at")
        own_style = styles[method, init]
        axes.plot(own["at"], own["mean"], **own_style.curve, zorder=3)
        if own[["low", "high"]].notna().any(axis=None):
            axes.fill_between(
                own["at"], own["low"], own["high"], color=own_style.colour, alpha=0.12, linewidth=0
            )
    ticks = curves[["at", "budget"]].drop_duplicates().sort_values("at")
    axes.set_xticks(ticks["at"], ticks["budget"].astype(str))
    axes.set_xlim(-0.3, ticks["at"].max() + 0.3)
    axes.grid(axis="y")
    shown = chosen[["mean", "low", "high"]].to_numpy()
    facets.scale_values(axes, metric, shown[np.isfinite(shown)], axis="y")
