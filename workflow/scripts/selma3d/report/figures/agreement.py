"""Shown, not ranked: counts and lengths on predicted masks less those on the truth, with every
training patch. Dots: cases; symbols: the bias, their mean; lines: limits of agreement, bias ± 1.96
standard deviations (Bland and Altman 1986). Zero is right; left of it too little was found.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...challenge.display import Entrant
from ...ranking.tables import Tables
from ...scoring.metrics import QUANTITIES
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles
from ..ranking_rows import in_order

CATEGORY, PLACE = "Shown, not ranked", 4.7
IN_A_PAPER = "Agreement of counts and lengths"
DRAWN = ("objects", "length_density", "radius", "branch_points")
AXIS_MM, LABEL_CHARACTERS = 15.0, 22


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Differences of `quantities` with bias and limits of `agreement`, a band a structure."""
    agreement = tables.get("agreement", pd.DataFrame())
    if agreement.empty:
        return canvas.statement("No quantity was measured on the masks.", "page")
    entrants = in_order(tables, agreement)
    row_labels = facets.row_labels(styles, entrants)
    bands = list(agreement.groupby("structure", sort=False))
    band_mm = len(entrants) * facets.row_height_mm(row_labels, 4.2) + AXIS_MM
    figure = canvas.sheet("page", band_mm * len(bands))
    spec = figure.add_gridspec(len(bands), len(DRAWN))
    for band, (structure, own) in enumerate(bands):
        shown = [name for name in DRAWN if name in set(own["quantity"])]
        for column, quantity in enumerate(shown):
            axes = figure.add_subplot(spec[band, column])
            _frame(axes, row_labels if column == 0 else [""] * len(row_labels))
            cases = tables["quantities"]
            here = (cases["structure"] == structure) & (cases["quantity"] == quantity)
            _draw_cases(axes, cases[here], entrants, styles)
            _draw_limits(axes, own[own["quantity"] == quantity], entrants, styles)
            described = QUANTITIES[quantity]
            unit = f" ({described.unit})" if described.unit else ""
            name = f"{described.label}, predicted − true{unit}"
            axes.set_xlabel(facets.broken(name, LABEL_CHARACTERS))
            if column == 0:
                axes.set_title(styles.structure(structure))
    return figure


def _frame(axes: Axes, row_labels: list[str]) -> None:
    axes.set_ylim(len(row_labels) - 0.5, -0.5)
    axes.set_yticks(range(len(row_labels)), row_labels)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    facets.stripe_rows(axes, len(row_labels))
    axes.axvline(0, color=canvas.INK, linewidth=0.8, zorder=1)
    axes.xaxis.set_major_locator(facets.few_ticks(4))


def _draw_cases(
    axes: Axes, cases: pd.DataFrame, entrants: list[Entrant], styles: EntrantStyles
) -> None:
    for (method, init), own in cases.groupby(["method", "init"], sort=False):
        row = entrants.index((method, init))
        apart = own["predicted"] - own["truth"]
        colour = styles[method, init].colour
        axes.scatter(apart, [row] * len(own), s=3.5, color=colour, alpha=0.5, linewidth=0, zorder=2)


def _draw_limits(
    axes: Axes, agreement: pd.DataFrame, entrants: list[Entrant], styles: EntrantStyles
) -> None:
    for found in agreement.itertuples():
        row = entrants.index((found.method, found.init))
        if pd.notna(found.low):
            axes.hlines(row, found.low, found.high, color=canvas.INK, linewidth=0.9, zorder=3)
        axes.scatter(found.bias, row, s=14, zorder=4, **styles[found.method, found.init].dots)
