"""The leaderboard at a glance. Numbers: means over cases; colour: rank in that metric, darker is
better. The number beside a name is its place; n counts cases. A dash: not scored, or nothing was
segmented. Arrows say which direction of a metric is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...ranking.tables import Tables
from .. import labels
from ..drawing import canvas, facets, heatmap
from ..drawing.entrants import EntrantStyles
from ..ranking_rows import in_order, metrics_of, segmented

CATEGORY, PLACE = "Ranking", 1
CHARACTER_MM = 1.45  # width of a bold one of 7 pt, on average
TITLE = "Scores and ranks at a glance"
IN_A_PAPER = "Scores and ranks of all entrants at a glance"


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Heat map of ranks with means, an entrant a row and a structure's metric a column."""
    means = tables.get("by_metric", pd.DataFrame())
    if means.empty:
        return canvas.statement("No entrant has been ranked.", "page")
    entrants = in_order(tables, means)
    metrics = metrics_of(means)
    columns = [(name, metric) for name, its_metrics in metrics.items() for metric in its_metrics]
    index = pd.MultiIndex.from_tuples(entrants)
    means = means.assign(mean=means["mean"].where(segmented(means)))
    wide = means.pivot_table(
        index=["method", "init"], columns=["structure", "metric"], values=["rank", "mean"]
    )
    ranks = wide["rank"].reindex(index=index, columns=columns).to_numpy()
    values = wide["mean"].reindex(index=index, columns=columns).to_numpy()
    row_labels = heatmap.placed_labels(tables, styles, entrants)
    row_mm = facets.row_height_mm(row_labels, 4.2)
    figure = canvas.sheet("page" if len(columns) > 3 else "column", len(entrants) * row_mm + 24)
    axes = figure.add_subplot()
    shares = 1 - (ranks - 1) / max(1, len(entrants) - 1)
    texts = [[labels.number(v, m) for v, (_, m) in zip(r, columns, strict=True)] for r in values]
    heatmap.draw_cells(axes, shares, texts, row_labels)
    names = [labels.metric_name(metric, unit=False) for _, metric in columns]
    axes.set_xticks(
        range(len(columns)),
        [facets.broken(name, max(7, _characters(len(columns)))) for name in names],
    )
    extents = means.groupby("structure")["cases"].max().astype(int).to_dict()
    titles = {name: f"{styles.structure(name)} (n\u00a0=\u00a0{extents[name]})" for name in metrics}
    _draw_bands(axes, metrics, titles, len(entrants), _characters(len(columns)))
    return figure


def _characters(columns: int) -> int:
    """Bold characters that fit over a column, beside labels that take a fifth of the page."""
    return min(11, int(0.8 * canvas.WIDTH_MM["page"] / columns / CHARACTER_MM))


def _draw_bands(
    axes: Axes,
    metrics: Mapping[str, Sequence[str]],
    titles: Mapping[str, str],
    rows: int,
    characters: int,
) -> None:
    """Structure titles over their columns, with a line between structures."""
    start = 0
    for structure, its_metrics in metrics.items():
        title = facets.broken(titles[structure], max(8, characters * len(its_metrics)))
        axes.text(start - 0.4, -0.7, title, weight="bold", va="bottom")
        if start:
            line = {"color": canvas.INK, "linewidth": 0.8, "clip_on": False}
            axes.vlines(start - 0.5, -1.2, rows - 0.5, **line)
        start += len(its_metrics)
