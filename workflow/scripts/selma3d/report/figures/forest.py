"""Gains of pretraining over scratch, in the metric of the declared analysis; right of the line is
better. Above: the declared endpoints in their order, each with its verdict. Below: every method and
pretext on every structure with every label budget, which is exploratory. Points: means over
specimens and trainings; lines: 95 % intervals of crossed specimens and trainings; grey band: the
margin, within which a gain is not worth a pretraining. Open points without a line had one training
an arm: their gain may be that training's alone. At the right: specimens × trainings an arm (?: the
specimens are unknown).
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
from ..gains import budget_name, budgets_in_order, endpoint_name, improved, of_declared_metric
from ..ranking_rows import NO_GAINS, in_order

CATEGORY, PLACE = "Pretraining", 5
TITLE = "Gain of pretraining"
IN_A_PAPER = "Effect of pretraining, with intervals"
ROW_MM, ENDPOINT_MM = 4.6, 6.8
AROUND_MM, TICKS_MM, AXIS_MM = 15.0, 5.5, 4.0  # title and ticks of a band; ticks; the last label
LABEL_MM, GAP_MM = 40.0, 12.0  # names at the left, numbers at the right of each panel
ENDPOINT_LABEL_MM, INTERVALS_MM = 76.0, 74.0  # the verdict in words stands to the right
AMOUNT = 10.0 / INTERVALS_MM  # room for numbers of specimens and trainings, of those axes
ENDPOINT_CHARACTERS = 56  # of an endpoint's name in a line


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Forest plot of `verdicts` and `gains`: a band a structure, a column a budget."""
    gains = improved(of_declared_metric(tables))
    if gains.empty:
        return canvas.statement(NO_GAINS, "page")
    verdicts = tables.get("verdicts", pd.DataFrame())
    margin = float(verdicts["margin"].max()) if len(verdicts) else np.nan
    entrants = in_order(tables, gains)
    names = facets.row_labels(styles, entrants)
    budgets, structures = budgets_in_order(gains), list(dict.fromkeys(gains["structure"]))
    endpoints = [
        facets.broken(endpoint_name(row, styles.display), ENDPOINT_CHARACTERS)
        for row in verdicts.to_dict("records")
    ]
    endpoints_mm = len(endpoints) * facets.row_height_mm(endpoints, ENDPOINT_MM)
    band_mm = len(names) * facets.row_height_mm(names, ROW_MM)
    bands_mm = [*([endpoints_mm] if len(verdicts) else []), *[band_mm] * len(structures)]
    figure = canvas.sheet("page", sum(bands_mm) + len(bands_mm) * AROUND_MM + AXIS_MM, layout=None)
    below_mm = figure.get_figheight() / canvas.MM
    if len(verdicts):
        below_mm -= AROUND_MM + endpoints_mm
        box = (ENDPOINT_LABEL_MM, below_mm + TICKS_MM, INTERVALS_MM, endpoints_mm)
        _draw_endpoints(_axes(figure, box), verdicts, endpoints, margin)
    label_mm, width_mm = LABEL_MM, (canvas.WIDTH_MM["page"] - LABEL_MM) / len(budgets)
    if len(budgets) == 1 and len(verdicts):  # below the declared endpoints, on the same scale
        label_mm, width_mm = ENDPOINT_LABEL_MM, INTERVALS_MM + GAP_MM
    for structure in structures:
        below_mm -= AROUND_MM + band_mm
        for column, budget in enumerate(budgets):
            left_mm = label_mm + column * width_mm
            axes = _axes(figure, (left_mm, below_mm + TICKS_MM, width_mm - GAP_MM, band_mm))
            own = gains[(gains["structure"] == structure) & (gains["budget"] == budget)]
            _frame(axes, names if column == 0 else [""] * len(names), margin)
            _draw_gains(axes, own, entrants, styles)
            title = styles.structure(structure) if column == 0 else ""
            apart = " · " if len(budgets) == 1 else "\n"
            axes.set_title(f"{title}{apart}{budget_name(budget)}")
    _share_scale(figure.axes, gains, verdicts)
    metric = labels.metric_name(gains["metric"].iloc[0], arrow=False)
    figure.axes[-1].set_xlabel(f"gain in {metric}, better →")
    return figure


def _axes(figure: Figure, box_mm: tuple[float, float, float, float]) -> Axes:
    """Axes at left, bottom, width and height in mm: bands of the same scale at every drawing."""
    width_mm, height_mm = (size / canvas.MM for size in figure.get_size_inches())
    left, bottom, width, height = box_mm
    shares = (left / width_mm, bottom / height_mm, width / width_mm, height / height_mm)
    return figure.add_axes(shares)


def _draw_endpoints(
    axes: Axes, verdicts: pd.DataFrame, names: Sequence[str], margin: float
) -> None:
    _frame(axes, names, margin)
    for row, endpoint in enumerate(verdicts.itertuples()):
        _draw_interval(axes, row, endpoint.gain, endpoint.low, endpoint.high)
        axes.scatter(endpoint.gain, row, s=22, marker="D", color=canvas.INK, zorder=4)
        beside = axes.get_yaxis_transform()
        amount = f"{endpoint.specimens:.0f} × {endpoint.trainings:.0f}"
        axes.text(1.02, row, amount, va="center", color=canvas.FAINT, transform=beside)
        axes.text(1.02 + AMOUNT, row, endpoint.verdict, va="center", transform=beside)
    axes.set_title("Declared beforehand")


def _draw_gains(
    axes: Axes, gains: pd.DataFrame, entrants: Sequence[Entrant], styles: EntrantStyles
) -> None:
    for gain in gains.itertuples():
        entrant = (gain.method, gain.init)
        row = entrants.index(entrant)
        _draw_interval(axes, row, gain.improvement, gain.least, gain.most)
        dots = styles[entrant].dots
        amount = f"{gain.specimens:.0f} × {gain.seeds:.0f}" if gain.specimens else "?"
        beside = axes.get_yaxis_transform()
        axes.text(1.02, row, amount, va="center", color=canvas.FAINT, transform=beside)
        face = dots["facecolor"] if pd.notna(gain.least) else "white"
        axes.scatter(gain.improvement, row, s=14, zorder=4, **{**dots, "facecolor": face})


def _draw_interval(axes: Axes, row: int, gain: float, low: float, high: float) -> None:
    if pd.notna(low) and pd.notna(high):
        axes.hlines(row, low, high, color=canvas.INK, linewidth=1.2, zorder=3)


def _frame(axes: Axes, names: Sequence[str], margin: float) -> None:
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)
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
