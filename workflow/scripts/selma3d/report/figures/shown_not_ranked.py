"""Metrics beside those of the ranking, with every training patch. Symbols: means
over cases, with a standard deviation to either side; bars: pooled scores, where all cases of a
structure are one image. Colour tells the method, the symbol its initialisation; open symbols start
from scratch. Arrows say which direction is better.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...challenge.display import Entrant
from ...ranking.tables import Tables
from ...scoring.metrics import METRICS
from .. import labels
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles
from ..ranking_rows import in_order, length_units, metrics_of, of_panel

CATEGORY, PLACE = "Shown, not ranked", 4.6
TITLE = "Further metrics, not ranked"
IN_A_PAPER = "Further metrics"
PER_BAND = 5  # nine metrics of vessels stand in two


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Means of `described`, up to PER_BAND panels side by side; nothing is a rank."""
    described = tables["described"]
    if described.empty:
        return canvas.statement("No further metric was scored with every training patch.", "page")
    entrants = in_order(tables, described)
    row_labels = facets.row_labels(styles, entrants)
    units = length_units(tables)
    bands = {
        f"{structure}:{start}": metrics[start : start + PER_BAND]
        for structure, metrics in metrics_of(described).items()
        for start in range(0, len(metrics), PER_BAND)
    }
    figure, panels = facets.grid(
        bands,
        row_labels,
        facets.row_height_mm(row_labels, 4.2),
        lambda band, metric: labels.metric_name(
            metric, lengths_in=units.get(band.rsplit(":", 1)[0], "")
        ),
    )
    for (band, metric), axes in panels.items():
        structure, start = band.rsplit(":", 1)
        own = of_panel(described, structure, metric)
        _draw_means(axes, own, entrants, styles)
        ends = pd.concat([own["mean"], own["mean"] + own["sd"].fillna(0), own["pooled"]])
        facets.scale_values(axes, metric, ends)
        if metric == bands[band][0]:
            title = styles.structure(structure)
            extent = labels.count(int(own["cases"].max()), "case")
            axes.set_title(f"{title}, continued" if int(start) else f"{title} · {extent}")
    _explain(figure, described)
    return figure


def _explain(figure: Figure, described: pd.DataFrame) -> None:
    grey = {"color": canvas.FAINT, "marker": "o", "markerfacecolor": canvas.NEUTRAL}
    handles = [canvas.sign("mean, standard deviation over cases", **grey)]
    if described["pooled"].notna().any():
        bar = {"color": canvas.INK, "marker": "|", "linestyle": "", "markeredgewidth": 1.2}
        handles.append(canvas.sign("all cases as one image", **bar))
    canvas.key(figure, handles)


def _draw_means(
    axes: Axes, means: pd.DataFrame, entrants: list[Entrant], styles: EntrantStyles
) -> None:
    for mean in means.itertuples():
        row = entrants.index((mean.method, mean.init))
        limits = METRICS[mean.metric]
        if pd.notna(mean.sd):
            low = max(limits.lowest, mean.mean - mean.sd)
            high = min(limits.highest, mean.mean + mean.sd)
            axes.hlines(row, low, high, color=canvas.FAINT, linewidth=0.9, zorder=3)
        if pd.notna(mean.pooled):
            axes.vlines(mean.pooled, row - 0.4, row + 0.4, color=canvas.INK, linewidth=1.2)
        axes.scatter(mean.mean, row, s=14, zorder=4, **styles[mean.method, mean.init].dots)
