"""Gains of pretraining over scratch, in the metric of the declared analysis; right of the line is
better. Above: the declared endpoints in their order, each with its verdict. Below: every method and
pretext on every structure with every label budget (of many structures with the largest alone),
which is exploratory. Points: means over specimens and trainings; lines: 95 % intervals of crossed
specimens and trainings; grey band: the margin, within which a gain is not worth a pretraining. Open
points without a line had one training an arm: their gain may be that training's alone. At the
right: specimens × trainings an arm (?: the specimens are unknown).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...challenge.display import Entrant
from ...ranking.tables import Tables
from .. import labels
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles
from ..gains import budget_name, budgets_in_order, endpoint_name, improved, of_declared_metric
from ..ranking_rows import NO_GAINS, in_order

CATEGORY, PLACE = "Pretraining", 5
TITLE = "Gain of pretraining"
IN_A_PAPER = "Effect of pretraining, with intervals"
PAGE_MM = 226.0  # of a journal's page, for the figure without what is marked on it
ROW_MM, ENDPOINT_MM = 4.6, 6.8
GAP_ROWS = 0.7  # between structures
TITLE_MM, TICKS_MM, AXIS_MM = 9.0, 5.5, 4.0  # above axes; below them; the last one's label
LABEL_MM, GAP_MM = 40.0, 12.0  # names at the left, numbers at the right of each panel
ENDPOINT_LABEL_MM, INTERVALS_MM = 76.0, 74.0  # the verdict in words stands to the right
AMOUNT = 10.0 / INTERVALS_MM  # room for numbers of specimens and trainings, of those axes
ENDPOINT_CHARACTERS = 56  # of an endpoint's name in a line


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Forest plot of `verdicts` and `gains`: below each other structures, a column a budget.

    Rows stand closer where there are many. Where they would not fit a page even so, structures
    stand in two columns, with the largest budget alone.
    """
    gains = improved(of_declared_metric(tables))
    if gains.empty:
        return canvas.statement(NO_GAINS, "page")
    verdicts = tables["verdicts"]
    margin = float(verdicts["margin"].max())
    endpoints = [
        facets.broken(endpoint_name(row, styles.display), ENDPOINT_CHARACTERS)
        for row in verdicts.to_dict("records")
    ]
    endpoints_mm = len(endpoints) * facets.row_height_mm(endpoints, ENDPOINT_MM)
    declared_mm = TITLE_MM + endpoints_mm + TICKS_MM if endpoints else 0.0
    around_mm = TITLE_MM + TICKS_MM + AXIS_MM
    columns = _columns(gains, in_order(tables, gains), styles)
    room_mm, closest_mm = PAGE_MM - declared_mm - around_mm, columns[0].closest_mm
    if columns[0].rows * closest_mm > room_mm:
        columns = _in_two(columns[-1])
    rows = max(column.rows for column in columns)
    row_mm = max(closest_mm, min(ROW_MM, room_mm / rows))
    rows_mm = rows * row_mm
    figure = canvas.sheet("page", declared_mm + around_mm + rows_mm, layout=None)
    if endpoints:
        box = (ENDPOINT_LABEL_MM, around_mm + rows_mm + TICKS_MM, INTERVALS_MM, endpoints_mm)
        _draw_endpoints(_axes(figure, box), verdicts, endpoints, margin)
    label_mm, width_mm = LABEL_MM, canvas.WIDTH_MM["page"] / len(columns) - LABEL_MM
    named = columns if columns[0].title == columns[-1].title else columns[:1]
    if len(named) == 1:
        width_mm = (canvas.WIDTH_MM["page"] - LABEL_MM) / len(columns)
    if len(columns) == 1 and endpoints:  # below the declared endpoints, on the same scale
        label_mm, width_mm = ENDPOINT_LABEL_MM, INTERVALS_MM + GAP_MM
    left_mm = 0.0
    for column in columns:
        left_mm += label_mm if column in named else 0.0
        own_mm = column.rows * row_mm
        bottom_mm = TICKS_MM + AXIS_MM + rows_mm - own_mm
        axes = _axes(figure, (left_mm, bottom_mm, width_mm - GAP_MM, own_mm))
        _frame(axes, column.rows, margin)
        _draw_column(axes, column, styles, names=column in named)
        left_mm += width_mm
    _share_scale(figure.axes, gains, verdicts)
    metric = labels.metric_name(gains["metric"].iloc[0], arrow=False)
    for axes in figure.axes[-len(columns) :]:
        axes.set_xlabel(f"gain in {metric}, better →")
    return figure


@dataclass(frozen=True, eq=False)
class Column:
    """Rows below each other: a structure's title, then its entrants.

    title: the budget. groups: gains by structure; entrants: a row of each structure each.
    """

    title: str
    groups: Mapping[str, pd.DataFrame]
    entrants: Mapping[Entrant, str]

    @property
    def rows(self) -> float:
        """Rows of all, titles and gaps among them."""
        return len(self.groups) * (1 + len(self.entrants) + GAP_ROWS) - GAP_ROWS

    @property
    def closest_mm(self) -> float:
        """The least height of a row, in which the longest name has room."""
        lines = 1 + max(name.count("\n") for name in self.entrants.values())
        return lines * canvas.LINE_MM + 0.2


def _columns(
    gains: pd.DataFrame, entrants: Sequence[Entrant], styles: EntrantStyles
) -> list[Column]:
    """A column a budget; all have the same rows."""
    names = dict(zip(entrants, facets.row_labels(styles, entrants), strict=True))
    structures = list(dict.fromkeys(gains["structure"]))
    return [
        Column(
            budget_name(budget),
            {
                name: gains[(gains["structure"] == name) & (gains["budget"] == budget)]
                for name in structures
            },
            names,
        )
        for budget in budgets_in_order(gains)
    ]


def _in_two(column: Column) -> list[Column]:
    """The same structures in two columns."""
    items = list(column.groups.items())
    half = -(-len(items) // 2)
    return [replace(column, groups=dict(part)) for part in (items[:half], items[half:]) if part]


def _axes(figure: Figure, box_mm: tuple[float, float, float, float]) -> Axes:
    """Axes at left, bottom, width and height in mm: bands of the same scale at every drawing."""
    width_mm, height_mm = (size / canvas.MM for size in figure.get_size_inches())
    left, bottom, width, height = box_mm
    shares = (left / width_mm, bottom / height_mm, width / width_mm, height / height_mm)
    return figure.add_axes(shares)


def _draw_endpoints(
    axes: Axes, verdicts: pd.DataFrame, names: Sequence[str], margin: float
) -> None:
    _frame(axes, len(names), margin)
    axes.set_yticks(range(len(names)), names)
    for row, endpoint in enumerate(verdicts.itertuples()):
        _draw_interval(axes, row, endpoint.gain, endpoint.low, endpoint.high)
        axes.scatter(endpoint.gain, row, s=22, marker="D", color=canvas.INK, zorder=4)
        beside = axes.get_yaxis_transform()
        amount = f"{endpoint.specimens:.0f} × {endpoint.trainings:.0f}"
        axes.text(1.02, row, amount, va="center", color=canvas.FAINT, transform=beside)
        axes.text(1.02 + AMOUNT, row, endpoint.verdict, va="center", transform=beside)
    axes.set_title("Declared beforehand")


def _draw_column(axes: Axes, column: Column, styles: EntrantStyles, *, names: bool) -> None:
    """A structure below the other; names of structures and entrants at the left, if asked for."""
    axes.set_title(column.title)
    beside = axes.get_yaxis_transform()
    ticks: dict[float, str] = {}
    for number, (structure, gains) in enumerate(column.groups.items()):
        first = number * (1 + len(column.entrants) + GAP_ROWS)
        if names:
            title = styles.structure(structure)
            axes.annotate(
                title,
                (0, first),
                xycoords=("axes fraction", "data"),
                xytext=(-LABEL_MM * canvas.MM * 72, 0),
                textcoords="offset points",
                va="center",
                weight="bold",
            )
        rows = {entrant: first + 1 + n for n, entrant in enumerate(column.entrants)}
        ticks |= {rows[entrant]: name for entrant, name in column.entrants.items()}
        for gain in gains.itertuples():
            row = rows[gain.method, gain.init]
            _draw_interval(axes, row, gain.improvement, gain.least, gain.most)
            dots = styles[gain.method, gain.init].dots
            amount = f"{gain.specimens:.0f} × {gain.seeds:.0f}" if gain.specimens else "?"
            axes.text(1.02, row, amount, va="center", color=canvas.FAINT, transform=beside)
            face = dots["facecolor"] if pd.notna(gain.least) else "white"
            axes.scatter(gain.improvement, row, s=14, zorder=4, **{**dots, "facecolor": face})
    axes.set_yticks(list(ticks), list(ticks.values()) if names else [""] * len(ticks))


def _draw_interval(axes: Axes, row: int, gain: float, low: float, high: float) -> None:
    if pd.notna(low) and pd.notna(high):
        axes.hlines(row, low, high, color=canvas.INK, linewidth=1.2, zorder=3)


def _frame(axes: Axes, rows: float, margin: float) -> None:
    axes.set_ylim(rows - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    if margin > 0:
        axes.axvspan(-margin, margin, color=canvas.MARGIN_BAND, linewidth=0, zorder=0)
    axes.axvline(0, color=canvas.INK, linewidth=0.8, zorder=1)
    axes.xaxis.set_major_locator(facets.few_ticks(6))


def _share_scale(panels: Sequence[Axes], gains: pd.DataFrame, verdicts: pd.DataFrame) -> None:
    """One scale for all panels, with zero in sight."""
    shown = [gains[["improvement", "least", "most"]].to_numpy(float).ravel(), [0.0]]
    if len(verdicts):
        shown.append(verdicts[["gain", "low", "high"]].to_numpy(float).ravel())
    finite = np.concatenate(shown)
    finite = finite[np.isfinite(finite)]
    room = 0.05 * np.ptp(finite) or 0.01
    for axes in panels:
        axes.set_xlim(finite.min() - room, finite.max() + room)
