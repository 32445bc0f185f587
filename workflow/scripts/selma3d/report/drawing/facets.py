"""A grid of panels, a structure a band and a metric a panel, with entrants as rows."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...challenge.display import Entrant
from .. import labels
from . import canvas
from .entrants import EntrantStyles

Panels = dict[tuple[str, str], Axes]

MANY = 12  # rows; with more, they are set closer
LABEL_WIDTH = 26  # characters of a row's label before it is broken
TITLE_WIDTH = 40  # characters of a band's title; a longer one would push the panels apart
AXIS_MM = 9.0  # around the rows of a panel, without the lines of its title and its axis label


def broken(text: str, characters: int) -> str:
    """Text broken into lines."""
    return textwrap.fill(text, characters)


def row_labels(styles: EntrantStyles, entrants: Sequence[Entrant]) -> list[str]:
    """Labels of rows, broken into lines where they are long."""
    return [broken(styles[entrant].label, LABEL_WIDTH) for entrant in entrants]


def row_height_mm(row_labels: Sequence[str], at_least: float) -> float:
    """The height that the tallest label needs, with some air where rows are few."""
    lines = max((label.count("\n") + 1 for label in row_labels), default=1)
    text_mm = lines * canvas.LINE_MM + 0.2
    return text_mm if len(row_labels) > MANY else max(at_least, text_mm)


def grid(
    metrics: Mapping[str, Sequence[str]],
    row_labels: Sequence[str],
    row_mm: float,
    axis_name: Callable[[str, str], str] | None = None,
) -> tuple[Figure, Panels]:
    """Panels with a row a label, the first at the top; only a band's first panel shows labels.

    axis_name: what stands below the panel of a band and metric; the metric's name without it.
    """
    columns = max(len(names) for names in metrics.values())
    rows_mm = len(row_labels) * row_mm
    axis_name = axis_name or (lambda _, metric: labels.metric_name(metric))
    names = {
        (band, metric): broken(axis_name(band, metric), max(12, 92 // columns))
        for band, its_metrics in metrics.items()
        for metric in its_metrics
    }
    heights = [
        rows_mm + AXIS_MM + canvas.LINE_MM * (2 + max(names[band, m].count("\n") for m in its))
        for band, its in metrics.items()
    ]
    figure = canvas.sheet("page" if columns > 1 else "column", sum(heights))
    spec = figure.add_gridspec(len(metrics), columns, height_ratios=heights)
    panels: Panels = {}
    for band, (name, its_metrics) in enumerate(metrics.items()):
        for column, metric in enumerate(its_metrics):
            axes = figure.add_subplot(spec[band, column])
            frame_rows(axes, row_labels if column == 0 else [""] * len(row_labels))
            axes.set_xlabel(names[name, metric])
            panels[name, metric] = axes
    return figure, panels


def frame_rows(axes: Axes, row_labels: Sequence[str]) -> None:
    """Rows with a label each, the first at the top, every other one tinted."""
    axes.set_ylim(len(row_labels) - 0.5, -0.5)
    axes.set_yticks(range(len(row_labels)), row_labels)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    stripe_rows(axes, len(row_labels))


def first_panels(panels: Panels) -> dict[str, Axes]:
    """The first panel of each band, which has its title."""
    return {band: axes for (band, _), axes in reversed(panels.items())}


def band_title(styles: EntrantStyles, structure: str, extent: str) -> str:
    """A structure's title and what was scored of it, on two lines where one would be long."""
    title = f"{styles.structure(structure)} · {extent}"
    return title if len(title) <= TITLE_WIDTH else title.replace(" · ", "\n")


def number_of(specimens: int) -> str:
    """A number of specimens as a text; zero means that specimens are unknown."""
    return labels.count(int(specimens), "specimen") if specimens else "specimens unknown"


def stripe_rows(axes: Axes, rows: int) -> None:
    """Tint every other row, to lead the eye from a label to its dots."""
    for row in range(0, rows, 2):
        axes.axhspan(row - 0.5, row + 0.5, color="#f5f5f5", linewidth=0, zorder=0)


def scale_values(axes: Axes, metric: str, values: pd.Series | np.ndarray, axis: str = "x") -> None:
    """Scale an axis to a metric: few ticks, and a log scale for counts of several magnitudes."""
    finite = np.asarray(values, dtype=float).ravel()
    finite = finite[np.isfinite(finite)]
    which = axes.xaxis if axis == "x" else axes.yaxis
    if not labels.is_bounded(metric) and finite.size and finite.max() >= 100:
        (axes.set_xscale if axis == "x" else axes.set_yscale)("symlog", linthresh=1)
        limits = (-0.15, finite.max() * 2)
        (axes.set_xlim if axis == "x" else axes.set_ylim)(*limits)
        decades = int(np.ceil(np.log10(finite.max() * 2)))
        ticks = [0.0, *10.0 ** np.arange(0, decades, 1 + decades // 5)]
        which.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        which.set_ticks([], minor=True)
        return
    if finite.size and np.ptp(finite) == 0:
        centre = finite[0]
        reach = 0.05 if labels.is_bounded(metric) else 1.0
        limits = (centre - reach, centre + reach)
        (axes.set_xlim if axis == "x" else axes.set_ylim)(*limits)
    which.set_major_locator(few_ticks(4 if axis == "x" else 5))


def few_ticks(at_most: int) -> MaxNLocator:
    """Ticks with few digits, few enough not to touch in a narrow panel."""
    return MaxNLocator(at_most, steps=[1, 2, 5, 10], min_n_ticks=2)
