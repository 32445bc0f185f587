"""Gain of pretraining over scratch, pair by pair, by the number of training patches (equally
spaced), in the metric of the declared analysis; above the line is better. Points: means over
specimens and trainings; lines: 95 % intervals of crossed specimens and trainings; open points had
one training an arm. Two methods or pretexts that differ by less than their lines are long are not
told apart. Grey band: the margin, within which a gain is not worth a pretraining.
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
from ..drawing import canvas
from ..drawing.entrants import EntrantStyles
from ..gains import budgets_in_order, improved, of_declared_metric
from ..ranking_rows import NO_GAINS, ONE_BUDGET, in_order

CATEGORY, PLACE = "Pretraining", 6.5
TITLE = "Gain of pretraining by number of training patches"
IN_A_PAPER = "Effect of pretraining over the amount of labels"
COLUMNS, PANEL_MM = 3, 48


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Gains of `gains` over budgets, a panel a structure."""
    gains = improved(of_declared_metric(tables))
    if gains.empty:
        return canvas.statement(NO_GAINS, "page")
    if gains["budget"].nunique() == 1:
        return canvas.statement(ONE_BUDGET, "page")  # the forest plot has these gains
    margin = float(tables["verdicts"]["margin"].max())
    entrants = in_order(tables, gains)
    structures = list(dict.fromkeys(gains["structure"]))
    columns = min(COLUMNS, len(structures))
    rows = -(-len(structures) // columns)
    figure = canvas.sheet("page" if columns > 1 else "column", PANEL_MM * rows)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, structure in zip(panels, structures, strict=False):
        own = gains[gains["structure"] == structure]
        _draw_panel(axes, own, budgets_in_order(gains), entrants, styles)
        if margin > 0:
            axes.axhspan(-margin, margin, color=canvas.MARGIN_BAND, linewidth=0, zorder=0)
        axes.set_title(styles.structure(structure))
    for axes in panels[len(structures) :]:
        axes.set_axis_off()
    metric = labels.metric_name(gains["metric"].iloc[0], arrow=False)
    for axes in panels[::columns]:
        axes.set_ylabel(f"gain in {metric}\nbetter →")
    canvas.key(figure, styles.lines(entrants))
    return figure


def _draw_panel(
    axes: Axes,
    gains: pd.DataFrame,
    budgets: Sequence[str],
    entrants: Sequence[Entrant],
    styles: EntrantStyles,
) -> None:
    beside = np.linspace(-0.18, 0.18, len(entrants)) if len(entrants) > 1 else [0.0]
    for entrant, shift in zip(entrants, beside, strict=True):
        own = gains[(gains["method"] == entrant[0]) & (gains["init"] == entrant[1])]
        own = own.assign(at=own["budget"].map(budgets.index) + shift).sort_values("at")
        style = styles[entrant]
        axes.plot(own["at"], own["improvement"], **style.curve, zorder=3)
        sure = own.dropna(subset=["least", "most"])
        axes.vlines(sure["at"], sure["least"], sure["most"], color=style.colour, linewidth=1.0)
        alone = own[own["least"].isna()]
        dots = {**style.dots, "facecolor": "white"}
        axes.scatter(alone["at"], alone["improvement"], s=14, zorder=4, **dots)
    axes.axhline(0, color=canvas.INK, linewidth=0.8, zorder=1)
    axes.set_xticks(range(len(budgets)), budgets)
    axes.set_xlim(-0.5, len(budgets) - 0.5)
    axes.set_xlabel("training patches")
    axes.grid(axis="y")
