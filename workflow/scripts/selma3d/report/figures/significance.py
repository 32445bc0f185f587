"""Pairwise comparisons on specimens (paired two-sided Wilcoxon signed-rank test, Holm-adjusted
within each panel, level 0.05). Blue: the entrant of the row is significantly better than that of
the column; orange: significantly worse; grey: no significant difference; hatched: not tested,
because specimens are fewer than six or unknown, or one of the two was not scored, or because no
test of the panel could be significant: even its smallest possible p, times the number of its tests,
is 0.05 or more. Entrants are numbered in the order of the leaderboard.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ...challenge.display import Entrant
from ...ranking.tables import Tables
from .. import labels
from ..drawing import canvas
from ..drawing.entrants import EntrantStyles
from ..ranking_rows import LEVEL, could_be_significant, in_order, metrics_of, of_panel

CATEGORY, PLACE = "Stability of the ranking", 10
TITLE = "Significant differences"
IN_A_PAPER = "Significance map"
WORSE, EQUAL, BETTER = "#E69F00", "#e0e0e0", "#0072B2"
HATCH = {"facecolor": "white", "edgecolor": "#bdbdbd", "hatch": "//////"}
NONE_POSSIBLE = (
    "No difference between entrants could be significant: for as many pairs there are too few "
    "specimens, or they are unknown."
)
MANY = 12  # entrants whose names fit beside the first map; more are named below


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Significance maps of `pairwise`, a panel a structure and metric."""
    pairs = tables["pairwise"]
    if pairs.empty:
        return canvas.statement("Only one entrant: there is no pair to compare.", "page")
    sides = [
        pairs[[f"method_{side}", f"init_{side}"]].set_axis(["method", "init"], axis=1)
        for side in "ab"
    ]
    entrants = in_order(tables, pd.concat(sides))
    metrics = metrics_of(pairs)
    panels = [(name, metric) for name, own in metrics.items() for metric in own]
    testable = {panel for panel in panels if could_be_significant(of_panel(pairs, *panel))}
    if not testable:
        return canvas.statement(NONE_POSSIBLE, "page")
    columns = max(len(names) for names in metrics.values())
    numbered = [f"{n}  {styles[entrant].label}" for n, entrant in enumerate(entrants, start=1)]
    many = len(entrants) > MANY
    map_mm = min(3.6 * len(entrants), (180 if many else 130) / columns)
    figure = canvas.sheet("page" if columns > 1 else "column", (map_mm + 14) * len(metrics))
    spec = figure.add_gridspec(len(metrics), columns)
    for band, (structure, its_metrics) in enumerate(metrics.items()):
        for column, metric in enumerate(its_metrics):
            axes = figure.add_subplot(spec[band, column])
            own = of_panel(pairs, structure, metric)
            tested = own if (structure, metric) in testable else own.iloc[:0]
            _draw_map(axes, verdicts(tested, entrants, metric))
            _number(axes, len(entrants), None if many or column else numbered)
            title = f"{styles.structure(structure)}\n" if column == 0 else "\n"
            axes.set_title(title + labels.metric_name(metric, unit=False))
    canvas.key(figure, _colours() + (_names(numbered) if many else []))
    return figure


def verdicts(pairs: pd.DataFrame, entrants: Sequence[Entrant], metric: str) -> np.ndarray:
    """Row against column: 1 better, -1 worse, 0 no significant difference, NaN not tested."""
    outcome = np.full((len(entrants), len(entrants)), np.nan)
    for pair in pairs.dropna(subset="p_holm").itertuples():
        a = entrants.index((pair.method_a, pair.init_a))
        b = entrants.index((pair.method_b, pair.init_b))
        won = np.sign(labels.improvement(metric, pair.difference)) if pair.p_holm < LEVEL else 0
        outcome[a, b], outcome[b, a] = won, -won
    return outcome


def _draw_map(axes: Axes, outcome: np.ndarray) -> None:
    entrants = len(outcome)
    axes.patch.set(**HATCH, linewidth=0)
    axes.imshow(
        np.ma.masked_invalid(outcome), cmap=ListedColormap([WORSE, EQUAL, BETTER]), vmin=-1, vmax=1
    )
    for own in range(entrants):
        axes.fill_between([own - 0.5, own + 0.5], own - 0.5, own + 0.5, color="white", zorder=2)
    between = np.arange(0.5, entrants - 1)
    axes.set_xticks(between, minor=True)
    axes.set_yticks(between, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.6 if entrants <= MANY else 0.2, zorder=3)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _number(axes: Axes, entrants: int, names: Sequence[str] | None) -> None:
    """Number rows and columns, every fifth where they are many; `names` label the rows."""
    every = [n for n in range(1, entrants + 1) if entrants <= MANY or n == 1 or n % 5 == 0]
    axes.set_xticks([n - 1 for n in every], every)
    axes.set_yticks([n - 1 for n in every], every)
    if names is not None:
        axes.set_yticks(range(entrants), names)


def _colours() -> list[Patch | Line2D]:
    return [
        Patch(facecolor=BETTER, label="row better"),
        Patch(facecolor=WORSE, label="row worse"),
        Patch(facecolor=EQUAL, label="no significant difference"),
        Patch(label="not tested", **HATCH),
    ]


def _names(numbered: Sequence[str]) -> list[Line2D]:
    return [canvas.sign(name, linestyle="") for name in numbered]
