"""Not ranked: counts and lengths on predicted masks less those on the truth, with every
training patch. Dots: cases, below their line; symbols: the bias, their mean; lines: limits of
agreement, bias ± 1.96 standard deviations (Bland and Altman 1986). Zero is right; left of it too
little was found.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...challenge.display import Entrant
from ...ranking.tables import Tables
from ...scoring.metrics import QUANTITIES
from .. import labels
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles
from ..ranking_rows import in_order, length_units

CATEGORY, PLACE = "Shown, not ranked", 4.7
TITLE = "Counts and lengths beside the truth's"
IN_A_PAPER = "Agreement of counts and lengths"
DRAWN = ("objects", "length_density", "radius", "branch_points")
AROUND_MM, ROW_MM, LABEL_CHARACTERS = 14.0, 5.2, 24


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Differences of `quantities` with bias and limits of `agreement`, a band a structure."""
    agreement = tables["agreement"]
    if agreement.empty:
        return canvas.statement("No quantity was measured on the masks.", "page")
    entrants = in_order(tables, agreement)
    row_labels = facets.row_labels(styles, entrants)
    bands = list(agreement.groupby("structure", sort=False))
    units = length_units(tables)
    names = {structure: _axis_names(units.get(structure, "")) for structure, _ in bands}
    rows_mm = len(entrants) * facets.row_height_mm(row_labels, ROW_MM)
    heights = [
        rows_mm + AROUND_MM + canvas.LINE_MM * max(names[s][q].count("\n") for q in own["quantity"])
        for s, own in ((s, own[own["quantity"].isin(DRAWN)]) for s, own in bands)
    ]
    figure = canvas.sheet("page", sum(heights))
    spec = figure.add_gridspec(len(bands), len(DRAWN), height_ratios=heights)
    for band, (structure, own) in enumerate(bands):
        shown = [name for name in DRAWN if name in set(own["quantity"])]
        for column, quantity in enumerate(shown):
            axes = figure.add_subplot(spec[band, column])
            facets.frame_rows(axes, row_labels if column == 0 else [""] * len(row_labels))
            axes.axvline(0, color=canvas.INK, linewidth=0.8, zorder=1)
            axes.xaxis.set_major_locator(facets.few_ticks(4))
            cases = tables["quantities"]
            here = (cases["structure"] == structure) & (cases["quantity"] == quantity)
            _draw_cases(axes, cases[here], entrants, styles)
            _draw_limits(axes, own[own["quantity"] == quantity], entrants, styles)
            axes.set_xlabel(names[structure][quantity])
            if column == 0:
                extent = labels.count(cases.loc[here, "case"].nunique(), "case")
                axes.set_title(f"{styles.structure(structure)} · {extent}")
    return figure


def _axis_names(lengths_in: str) -> dict[str, str]:
    """What each quantity's axis says, on a structure whose lengths are in `lengths_in`."""
    names = {}
    for quantity in DRAWN:
        described = QUANTITIES[quantity]
        unit = f" ({labels.unit_of(described.unit, lengths_in)})" if described.unit else ""
        name = facets.broken(f"{described.label}{unit}", LABEL_CHARACTERS)
        names[quantity] = f"{name}\npredicted − true"
    return names


def _draw_cases(
    axes: Axes, cases: pd.DataFrame, entrants: list[Entrant], styles: EntrantStyles
) -> None:
    for (method, init), own in cases.groupby(["method", "init"], sort=False):
        row = entrants.index((method, init))
        apart = own["predicted"] - own["truth"]
        colour = styles[method, init].colour
        below = [row + 0.3] * len(own)
        axes.scatter(apart, below, s=4, color=colour, alpha=0.7, linewidth=0, zorder=2)


def _draw_limits(
    axes: Axes, agreement: pd.DataFrame, entrants: list[Entrant], styles: EntrantStyles
) -> None:
    for found in agreement.itertuples():
        row = entrants.index((found.method, found.init))
        if pd.notna(found.low):
            axes.hlines(row, found.low, found.high, color=canvas.INK, linewidth=0.9, zorder=3)
        axes.scatter(found.bias, row, s=14, zorder=4, **styles[found.method, found.init].dots)
