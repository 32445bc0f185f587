"""Scores of every test case with every training patch. Small dots: cases (seeds and folds
averaged), each at the same height in all rows of a structure, those of one specimen side by
side; rings: cases whose labels are doubtful (no threshold and no entrant reaches the label moved
by one voxel); crosses: cases where the worst value stands in for a missing or undefined score. Grey
boxes: quartiles, with the median as a line, from six cases on. Pale clouds: density of the cases,
from twenty on, of metrics between 0 and 1. Large symbols: means, with 95 % bootstrap intervals
where there are at least six known specimens. Colour tells the method, the symbol its
initialisation; open symbols start from scratch. Arrows say which direction is better.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import gaussian_kde

from ...challenge.display import Entrant
from ...ranking.tables import Tables
from .. import labels
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyle, EntrantStyles
from ..ranking_rows import extent_of, in_order, metrics_of, of_panel, ranked_cases

CATEGORY, PLACE = "Scores", 4
TITLE = "Scores of every case"
IN_A_PAPER = "Dot-and-box plots of the metrics"
BOX_NEEDS = 6  # cases; fewer are better seen as dots alone
CLOUD_NEEDS = 20  # cases; the density of fewer is mostly the kernel's


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Dot-and-box plots of `cases`, with means and intervals of `by_metric`."""
    cases = ranked_cases(tables)
    if cases.empty:
        return canvas.statement("No case has been scored with every training patch.", "page")
    entrants = in_order(tables, cases)
    row_labels = facets.row_labels(styles, entrants)
    figure, panels = facets.grid(
        metrics_of(cases), row_labels, facets.row_height_mm(row_labels, 4.6)
    )
    means = tables["by_metric"]
    for (structure, metric), axes in panels.items():
        chosen = of_panel(cases, structure, metric)
        _draw_panel(axes, chosen, entrants, styles)
        _draw_means(axes, of_panel(means, structure, metric), entrants, styles)
        facets.scale_values(axes, metric, chosen["value"])
    for structure, axes in facets.first_panels(panels).items():
        extent = extent_of(cases[cases["structure"] == structure])
        axes.set_title(facets.band_title(styles, structure, extent))
    _explain(figure, cases, means)
    return figure


def _heights(cases: pd.DataFrame) -> dict[str, float]:
    """A height within the row for each case: neighbours are of one specimen."""
    order = cases[["specimen", "case"]].drop_duplicates().sort_values(["specimen", "case"])["case"]
    offsets = np.linspace(-0.32, 0.32, len(order)) if len(order) > 1 else [0.0]
    return dict(zip(order, offsets, strict=True))


def _draw_panel(
    axes: Axes, cases: pd.DataFrame, entrants: Sequence[Entrant], styles: EntrantStyles
) -> None:
    heights = _heights(cases)
    for row, entrant in enumerate(entrants):
        own = cases[(cases["method"] == entrant[0]) & (cases["init"] == entrant[1])]
        own = own.dropna(subset="value")
        if own.empty:
            beside = {"transform": axes.get_yaxis_transform(), "va": "center"}
            axes.text(0.02, row, "no score", color=canvas.FAINT, **beside)
            continue
        if len(own) >= BOX_NEEDS:
            _draw_box(axes, row, own["value"].to_numpy())
        if len(own) >= CLOUD_NEEDS and labels.is_bounded(own["metric"].iloc[0]):
            _draw_cloud(axes, row, own["value"].to_numpy(), own_style=styles[entrant])
        _draw_dots(axes, row + own["case"].map(heights), own, styles[entrant])


def _draw_box(axes: Axes, row: int, values: np.ndarray) -> None:
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    grey = {"color": "#e4e4e4", "edgecolor": "#9a9a9a", "zorder": 1}
    axes.barh(row, high - low, left=low, height=0.74, **grey)
    axes.vlines(median, row - 0.37, row + 0.37, color="#6b6b6b", linewidth=1, zorder=1.5)


def _draw_cloud(axes: Axes, row: int, values: np.ndarray, own_style: EntrantStyle) -> None:
    """Density of values by Gaussian kernels (Scott's rule); none where all are the same."""
    if np.ptp(values) == 0:
        return
    along = np.linspace(values.min(), values.max(), 100)
    density = gaussian_kde(values)(along)
    half = 0.45 * density / density.max()
    axes.fill_between(
        along, row - half, row + half, color=own_style.colour, alpha=0.22, linewidth=0, zorder=0.9
    )


def _draw_dots(
    axes: Axes, heights: pd.Series, cases: pd.DataFrame, own_style: EntrantStyle
) -> None:
    imputed = (cases["imputed"] > 0).to_numpy()
    doubtful = cases["doubtful"].to_numpy(bool) & ~imputed
    dot = {"s": 3.5, "color": own_style.colour, "alpha": 0.75, "linewidth": 0, "zorder": 2}
    ring = {"s": 6, "facecolor": "white", "edgecolor": own_style.colour, "linewidth": 0.6}
    cross = {"s": 9, "color": own_style.edge, "marker": "x", "linewidth": 0.8, "clip_on": False}
    for chosen, look in (
        (~imputed & ~doubtful, dot),
        (doubtful, ring | {"zorder": 2}),
        (imputed, cross | {"zorder": 2.5}),
    ):
        axes.scatter(cases["value"][chosen], heights[chosen], **look)


def _draw_means(
    axes: Axes, means: pd.DataFrame, entrants: Sequence[Entrant], styles: EntrantStyles
) -> None:
    for mean in means.itertuples():
        entrant = (mean.method, mean.init)
        if entrant not in entrants or pd.isna(mean.mean):
            continue
        row = entrants.index(entrant)
        if pd.notna(mean.low) and pd.notna(mean.high):
            axes.hlines(row, mean.low, mean.high, color=canvas.INK, linewidth=1.1, zorder=3)
        axes.scatter(mean.mean, row, s=14, zorder=4, clip_on=False, **styles[entrant].dots)


def _explain(figure: Figure, cases: pd.DataFrame, means: pd.DataFrame) -> None:
    grey = {"color": "#7a7a7a", "linestyle": ""}
    surely = means["low"].notna().any()
    mean = {"color": canvas.INK, "marker": "o", "markersize": 5, "markerfacecolor": "#bdbdbd"}
    handles = [
        canvas.sign("case", marker=".", markersize=3, **grey),
        canvas.sign("mean, 95 % interval", linestyle="-", **mean)
        if surely
        else canvas.sign("mean (below 6 specimens no interval)", linestyle="", **mean),
        canvas.sign("quartiles", color="#9a9a9a", linewidth=5, alpha=0.5),
    ]
    if cases["doubtful"].any():
        ring = {"marker": "o", "markersize": 3, "markerfacecolor": "white"} | grey
        handles.append(canvas.sign("case, labels doubtful", **ring))
    if (cases["imputed"] > 0).any():
        cross = {"marker": "x", "markersize": 4} | grey
        handles.append(canvas.sign("worst value stands in", **cross))
    canvas.key(figure, handles)
