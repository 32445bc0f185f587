"""References beside which a case's scores are read, with every training patch. Bars: the label and
itself moved by one voxel, a stand-in for a second annotator; at the right, chance. Diamonds: the
oracle, the best single threshold, chosen with the truth. Filled circles: the best entrant; open
ones: the median. In red, with a dagger: labels doubtful, since the oracle and every entrant stay
below the moved label. Shown, not ranked.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...ranking.tables import Tables
from .. import labels
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles

CATEGORY, PLACE = "How good a score can be", 4.5
TITLE = "How good a score can be"
IN_A_PAPER = "References a case"
ROW_MM, AROUND_MM = 3.2, 15.0
DOUBTFUL = "#8c1d18"
COLUMNS = {"dice": ("Dice", "moved_dice"), "centroid_f1": ("Centroid F1", "chance_centroid_f1")}


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Dots of `references`: a band a structure, a row a case, Dice and centroid F1 side by side."""
    references = tables["references"]
    if references.empty:
        return canvas.statement("No references were computed for the cases.", "page")
    bands = list(references.groupby("structure", sort=False))
    heights = [len(cases) * ROW_MM + AROUND_MM for _, cases in bands]
    figure = canvas.sheet("page", sum(heights))
    spec = figure.add_gridspec(len(bands), 2, height_ratios=heights)
    for band, (structure, cases) in enumerate(bands):
        for column, (metric, (label, floor)) in enumerate(COLUMNS.items()):
            axes = figure.add_subplot(spec[band, column])
            _draw_cases(axes, cases, metric, floor)
            axes.set_xlabel(f"{label} ↑")
            if column == 0:
                extent = labels.count(len(cases), "case")
                axes.set_title(f"{styles.structure(structure)} · {extent}")
                _name_rows(axes, cases)
            else:
                axes.set_yticks([])
    _explain(figure, bool(references["doubtful"].any()))
    return figure


def _draw_cases(axes: Axes, cases: pd.DataFrame, metric: str, floor: str) -> None:
    rows = range(len(cases))
    facets.stripe_rows(axes, len(cases))
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    for row, value in zip(rows, cases[floor], strict=True):
        axes.vlines(value, row - 0.42, row + 0.42, color=canvas.INK, linewidth=1.6, zorder=2)
    shapes = {
        "oracle": {"marker": "D", "s": 13, "facecolor": "#E69F00", "edgecolor": "#8a5f00"},
        "median": {"marker": "o", "s": 13, "facecolor": "white", "edgecolor": "#0072B2"},
        "best": {"marker": "o", "s": 13, "facecolor": "#0072B2", "edgecolor": "#00507f"},
    }
    for order, (which, shape) in enumerate(shapes.items()):
        axes.scatter(cases[f"{which}_{metric}"], rows, linewidth=0.7, zorder=3 + order, **shape)


def _name_rows(axes: Axes, cases: pd.DataFrame) -> None:
    names = [f"{case.case} †" if case.doubtful else str(case.case) for case in cases.itertuples()]
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    for text, doubtful in zip(axes.get_yticklabels(), cases["doubtful"], strict=True):
        if doubtful:
            text.set_color(DOUBTFUL)


def _explain(figure: Figure, doubtful: bool) -> None:
    none = {"linestyle": "", "markersize": 4}
    entrant = {"marker": "o", "color": "#0072B2", **none}
    handles = [
        canvas.sign("moved label; chance", marker="|", color=canvas.INK, **none),
        canvas.sign("oracle threshold", marker="D", color="#E69F00", **none),
        canvas.sign("best entrant", **entrant),
        canvas.sign("median entrant", markerfacecolor="white", **entrant),
    ]
    if doubtful:
        handles.append(canvas.sign("† labels doubtful", **none))
    canvas.key(figure, handles)
