"""Gains of pretraining over scratch, in the metric of the declared analysis; right of the line is
better. Above: the declared endpoints in their order, each with its verdict. Below: every method and
pretext on every structure with every label budget, which is exploratory. Points: means over
specimens and trainings; lines: 95 % intervals of crossed specimens and trainings; grey band: the
margin, within which a gain is not worth a pretraining. Open points without a line had one training
an arm: their gain may be that training's alone.
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
from ..selection import NO_GAINS, in_order

CATEGORY, PLACE = "Pretraining", 5
IN_A_PAPER = "Effect of pretraining, with intervals"
ROW_MM, TITLE_MM = 5.2, 12.0


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Forest plot of `verdicts` and `gains`: a band a structure, a column a budget."""
    gains = improved(of_declared_metric(tables))
    if gains.empty:
        return canvas.statement(NO_GAINS, "page")
    verdicts = tables.get("verdicts", pd.DataFrame())
    entrants = in_order(tables, gains)
    names = facets.row_labels(styles, entrants)
    budgets, structures = budgets_in_order(gains), list(dict.fromkeys(gains["structure"]))
    row_mm = facets.row_height_mm(names, ROW_MM)
    heights = [len(verdicts) * ROW_MM + TITLE_MM] if len(verdicts) else []
    heights += [len(names) * row_mm + TITLE_MM] * len(structures)
    figure = canvas.sheet("page", sum(heights))
    bands = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    if len(verdicts):
        _draw_endpoints(figure.add_subplot(bands[0]), verdicts, styles)
    margin = float(verdicts["margin"].max()) if len(verdicts) else np.nan
    for band, structure in enumerate(structures, start=len(heights) - len(structures)):
        columns = bands[band].subgridspec(1, len(budgets))
        for column, budget in enumerate(budgets):
            axes = figure.add_subplot(columns[column])
            own = gains[(gains["structure"] == structure) & (gains["budget"] == budget)]
            _frame(axes, names if column == 0 else [""] * len(names), margin)
            _draw_gains(axes, own, entrants, styles)
            title = styles.structure(structure) if column == 0 else ""
            axes.set_title(f"{title}\n{budget_name(budget)}", fontweight="bold")
    _share_scale(figure.axes, gains, verdicts)
    metric = labels.metric_name(gains["metric"].iloc[0], arrow=False)
    figure.axes[-1].set_xlabel(f"gain in {metric}, better →")
    return figure


def _draw_endpoints(axes: Axes, verdicts: pd.DataFrame, styles: EntrantStyles) -> None:
    names = [endpoint_name(row, styles.display) for row in verdicts.to_dict("records")]
    _frame(axes, [facets.broken(name, 60) for name in names], float(verdicts["margin"].max()))
    for row, endpoint in enumerate(verdicts.itertuples()):
        _draw_interval(axes, row, endpoint.gain, endpoint.low, endpoint.high)
        axes.scatter(endpoint.gain, row, s=22, marker="D", color=canvas.INK, zorder=4)
        beside = axes.get_yaxis_transform()
        axes.text(1.01, row, endpoint.verdict, va="center", transform=beside)
    axes.set_title("Declared beforehand", fontweight="bold")


def _draw_gains(
    axes: Axes, gains: pd.DataFrame, entrants: Sequence[Entrant], styles: EntrantStyles
) -> None:
    for gain in gains.itertuples():
        entrant = (gain.method, gain.init)
        row = entrants.index(entrant)
        _draw_interval(axes, row, gain.improvement, gain.least, gain.most)
        dots = styles[entrant].dots
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
