"""The mean Dice of an entrant on a structure, with its 95 % bootstrap interval where there are at
least six known specimens, against the time that all its jobs took on all structures, pretraining
among them (CPU time; GPU time where any entrant used a GPU; left of the dotted line: none of it).
Grey steps: the best Dice that can be had for so much time. Colour tells the method, the symbol its
initialisation; open symbols start from scratch.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ...ranking.tables import Tables
from ...scoring.score_tables import ENTRANT
from .. import labels
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles
from ..ranking_rows import in_order, segmented

CATEGORY, PLACE = "Cost", 14
TITLE = "Cost against quality"
IN_A_PAPER = "Cost against quality"
METRIC = "dice"  # every metric profile has it
PER_ROW = 3
TITLE_CHARACTERS = 32  # of a title in a line above a panel


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """A panel a structure, of `by_metric` and the sums of `cost`."""
    means, cost = tables["by_metric"], tables["cost"]
    if means.empty or cost.empty:
        return canvas.statement("No cost is known of what has been scored.", "page")
    spent = cost.groupby(ENTRANT)[["cpu_hours", "gpu_hours"]].sum(min_count=1)
    unit = "gpu_hours" if spent["gpu_hours"].sum() > 0 else "cpu_hours"
    scored = means[(means["metric"] == METRIC) & segmented(means)]
    shown = scored.join(spent[unit].rename("hours"), on=ENTRANT).dropna(subset=["hours", "mean"])
    if len(shown[ENTRANT].drop_duplicates()) < 2:
        return canvas.statement("The cost is known of only one entrant or of none.", "page")
    structures = list(dict.fromkeys(shown["structure"]))
    columns = min(PER_ROW, len(structures))
    rows = -(-len(structures) // columns)
    figure = canvas.sheet("page" if columns > 1 else "column", 48 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, structure in zip(grid.flat, structures, strict=False):
        own = shown[shown["structure"] == structure]
        _draw_structure(axes, own, shown["hours"], styles)
        extent = f"(n\u00a0=\u00a0{own['cases'].max():.0f})"
        axes.set_title(facets.broken(f"{styles.structure(structure)} {extent}", TITLE_CHARACTERS))
        axes.set_ylabel(labels.metric_name(METRIC))
        axes.set_xlabel(f"{unit[:3].upper()} time, all jobs")
    for axes in grid.flat[len(structures) :]:
        axes.set_visible(False)
    canvas.key(figure, styles.symbols(in_order(tables, shown)))
    return figure


def _draw_structure(
    axes: Axes, own: pd.DataFrame, all_hours: pd.Series, styles: EntrantStyles
) -> None:
    """One panel, on a logarithmic axis of time with a place for none."""
    spent = all_hours[all_hours > 0]
    least, most = spent.min(), spent.max()
    nothing = least / 6
    own = own.assign(x=own["hours"].where(own["hours"] > 0, nothing)).sort_values("x")
    axes.set_xscale("log")
    some_none = bool((all_hours <= 0).any())
    axes.set_xlim((nothing / 1.8) if some_none else least / 2, most * 2)
    ticks = _round_times(least, most)
    if some_none:
        ticks |= {nothing: "none"}
        axes.axvline(least / 2.4, color=canvas.FAINT, linewidth=0.6, linestyle=":")
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: ticks.get(x, "")))
    axes.step(
        [*own["x"], axes.get_xlim()[1]],
        [*own["mean"].cummax(), own["mean"].max()],
        where="post",
        color="#b5b5b5",
        linewidth=0.7,
        zorder=1,
    )
    for row in own.itertuples():
        style = styles[row.method, row.init]
        if pd.notna(row.low) and pd.notna(row.high):
            axes.vlines(row.x, row.low, row.high, color=style.edge, linewidth=1, zorder=2)
        axes.scatter(row.x, row.mean, s=20, zorder=3, **style.dots)
    facets.scale_values(axes, METRIC, own[["mean", "low", "high"]].stack(), "y")


def _round_times(least: float, most: float) -> dict[float, str]:
    """Times that people say, from about the least to the most, by hours: at most four."""
    units = {"s": (1 / 3600, (1, 3, 10)), "min": (1 / 60, (1, 3, 10, 30))}
    units["h"] = (1.0, tuple(h * 10**power for power in range(6) for h in (1, 3)))
    times = {n * size: f"{n:,} {unit}" for unit, (size, ns) in units.items() for n in ns}
    within = [hours for hours in times if least / 1.5 <= hours <= most * 1.5]
    return {hours: times[hours] for hours in within[:: max(1, -(-len(within) // 4))]}
