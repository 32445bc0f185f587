"""Every case's score, per structure and metric: dots, quartiles, and the mean with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import display
from . import facets, style
from .looks import Entrant, Look, Looks

BOX_NEEDS = 6  # cases; fewer are better seen as dots alone


def ranked_cases(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Rows of `cases` that the ranking uses: the edition's own profile, every training patch."""
    cases = tables.get("cases", pd.DataFrame())
    if cases.empty:
        return cases
    profiles = [p for p in cases["metric_profile"].unique() if p not in ("robust", "describe")]
    profile = profiles[0] if profiles else "robust"
    return cases[(cases["metric_profile"] == profile) & (cases["budget"].astype(str) == "all")]


def draw_scores(tables: Mapping[str, pd.DataFrame], looks: Looks) -> Figure:
    """Dot-and-box plots of `cases`, with means and intervals of `by_metric`."""
    cases = ranked_cases(tables)
    if cases.empty:
        return style.statement("No case has been scored with every training patch.", "page")
    entrants = facets.in_order(tables, cases)
    labels = facets.row_labels(looks, entrants)
    figure, panels = facets.grid(
        facets.metrics_of(cases), labels, facets.row_height_mm(labels, 4.6)
    )
    means = tables.get("by_metric")
    for (structure, metric), axes in panels.items():
        chosen = facets.of(cases, structure, metric)
        _draw_panel(axes, chosen, entrants, looks)
        if means is not None:
            _draw_means(axes, facets.of(means, structure, metric), entrants, looks)
        facets.scale_values(axes, metric, chosen["value"])
    for structure, group in cases.groupby("structure", sort=False):
        first = next(axes for (name, _), axes in panels.items() if name == structure)
        first.set_title(facets.band_title(looks, structure, _extent(group)))
    _explain(figure, cases)
    return figure


def _extent(cases: pd.DataFrame) -> str:
    specimens = cases["specimen"].replace("", np.nan).dropna().nunique()
    extent = display.count(cases["case"].nunique(), "case")
    return f"{extent} of {display.count(specimens, 'specimen')}" if specimens else extent


def _heights(cases: pd.DataFrame) -> dict[str, float]:
    """A height within the row for each case: neighbours are of one specimen."""
    order = cases[["specimen", "case"]].drop_duplicates().sort_values(["specimen", "case"])["case"]
    offsets = np.linspace(-0.32, 0.32, len(order)) if len(order) > 1 else [0.0]
    return dict(zip(order, offsets, strict=True))


def _draw_panel(axes: Axes, cases: pd.DataFrame, entrants: Sequence[Entrant], looks: Looks) -> None:
    heights = _heights(cases)
    for row, entrant in enumerate(entrants):
        own = cases[(cases["method"] == entrant[0]) & (cases["init"] == entrant[1])]
        own = own.dropna(subset="value")
        if own.empty:
            axes.text(
                0.02,
                row,
                "no score",
                color=style.FAINT,
                va="center",
                transform=axes.get_yaxis_transform(),
            )
            continue
        if len(own) >= BOX_NEEDS:
            _draw_box(axes, row, own["value"].to_numpy())
        _draw_dots(axes, row + own["case"].map(heights), own, looks[entrant])


def _draw_box(axes: Axes, row: int, values: np.ndarray) -> None:
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    grey = {"color": "#e4e4e4", "edgecolor": "#9a9a9a", "zorder": 1}
    axes.barh(row, high - low, left=low, height=0.74, **grey)
    axes.vlines(median, row - 0.37, row + 0.37, color="#6b6b6b", linewidth=1, zorder=1.5)


def _draw_dots(axes: Axes, heights: pd.Series, cases: pd.DataFrame, look: Look) -> None:
    imputed = (cases["imputed"] > 0).to_numpy()
    axes.scatter(
        cases["value"][~imputed],
        heights[~imputed],
        s=3.5,
        color=look.colour,
        alpha=0.75,
        linewidth=0,
        zorder=2,
    )
    axes.scatter(
        cases["value"][imputed],
        heights[imputed],
        s=9,
        color=look.edge,
        marker="x",
        linewidth=0.8,
        zorder=2.5,
        clip_on=False,
    )


def _draw_means(axes: Axes, means: pd.DataFrame, entrants: Sequence[Entrant], looks: Looks) -> None:
    for mean in means.itertuples():
        entrant = (mean.method, mean.init)
        if entrant not in entrants or pd.isna(mean.mean):
            continue
        row = entrants.index(entrant)
        if pd.notna(mean.low) and pd.notna(mean.high):
            axes.hlines(row, mean.low, mean.high, color=style.INK, linewidth=1.1, zorder=3)
        axes.scatter(mean.mean, row, s=14, zorder=4, **looks[entrant].dots)


def _explain(figure: Figure, cases: pd.DataFrame) -> None:
    grey = {"color": "#7a7a7a", "linestyle": ""}
    handles = [
        Line2D([], [], marker=".", markersize=3, label="case", **grey),
        Line2D(
            [],
            [],
            color=style.INK,
            marker="o",
            markersize=5,
            markerfacecolor="#bdbdbd",
            label="mean, 95 % interval (from 6 specimens)",
        ),
        Line2D([], [], color="#9a9a9a", linewidth=5, alpha=0.5, label="quartiles"),
    ]
    if (cases["imputed"] > 0).any():
        cross = {"marker": "x", "markersize": 4} | grey
        handles.append(Line2D([], [], label="worst value stands in", **cross))
    style.key(figure, handles)
