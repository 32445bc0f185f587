"""Numbers: means over cases; colour: rank in that metric, darker is
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
COLUMNS = 14  # of a block at most; in narrower cells numbers would touch
TITLE = "Scores and ranks at a glance"
IN_A_PAPER = "Scores and ranks of all entrants at a glance"


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Heat map of ranks with means, an entrant a row and a structure's metric a column."""
    means = tables["by_metric"]
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
    extents = means.groupby("structure")["cases"].max().astype(int).to_dict()
    titles = {name: f"{styles.structure(name)} (n\u00a0=\u00a0{extents[name]})" for name in metrics}
    blocks = _blocks(metrics)
    most = max(sum(map(len, block.values())) for block in blocks)
    height_mm = len(blocks) * (len(entrants) * row_mm + 24)
    figure = canvas.sheet("page" if len(columns) > 3 else "column", height_mm)
    for axes, block in zip(figure.subplots(len(blocks), squeeze=False)[:, 0], blocks, strict=True):
        own = [columns.index((name, metric)) for name in block for metric in block[name]]
        shares = 1 - (ranks[:, own] - 1) / max(1, len(entrants) - 1)
        texts = [[labels.number(row[n], columns[n][1]) for n in own] for row in values]
        heatmap.draw_cells(axes, shares, texts, row_labels)
        axes.set_xlim(-0.5, most - 0.5)  # cells are as wide in every block
        names = [labels.metric_name(columns[n][1], unit=False) for n in own]
        broken = [facets.broken(name, max(7, _characters(most))) for name in names]
        axes.set_xticks(range(len(own)), broken)
        _draw_bands(axes, block, titles, len(entrants), _characters(most))
    return figure


def _blocks(metrics: Mapping[str, Sequence[str]]) -> list[dict[str, Sequence[str]]]:
    """Structures with their metrics, in the fewest blocks with room for numbers, alike in width."""
    narrowest = max(map(len, metrics.values()))
    fewest = len(_filled(metrics, COLUMNS))
    rooms = range(narrowest, max(narrowest, COLUMNS) + 1)
    return next(b for room in rooms if len(b := _filled(metrics, room)) == fewest)


def _filled(metrics: Mapping[str, Sequence[str]], room: int) -> list[dict[str, Sequence[str]]]:
    """Blocks of at most `room` columns, a structure's metrics side by side."""
    blocks: list[dict[str, Sequence[str]]] = [{}]
    for name, its_metrics in metrics.items():
        if blocks[-1] and sum(map(len, blocks[-1].values())) + len(its_metrics) > room:
            blocks.append({})
        blocks[-1][name] = its_metrics
    return blocks


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
