"""Published scores (grey squares; sources in config/reported) beside those of this run (coloured;
means with 95 % bootstrap intervals where there are at least six known specimens). They are
comparable only where both were scored on the same cases. Arrows say which direction is better.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...ranking.tables import Tables
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles
from ..ranking_rows import in_order, metrics_of, of_panel

CATEGORY, PLACE = "Reported and reproduced", 13
TITLE = "Published scores beside those of this run"
IN_A_PAPER = "Published scores beside reproduced ones"


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """`reported` (team, structure, metric, value, source) against `by_metric`."""
    reported = tables["reported"]
    ours = tables["by_metric"]
    if reported.empty or ours.empty:
        return canvas.statement(
            "No published scores to compare with: config/reported holds none for this edition. "
            "Fill in team, structure, metric, value and source to see them beside ours.",
            "page",
        )
    keys = ["structure", "metric"]
    both = reported[keys].drop_duplicates().merge(ours[keys].drop_duplicates())
    if both.empty:
        return canvas.statement(
            "The published scores are on other structures or metrics than this run's.", "page"
        )
    entrants = in_order(tables, ours)
    teams = list(dict.fromkeys(reported["team"]))
    row_labels = [f"{team} (published)" for team in teams] + facets.row_labels(styles, entrants)
    figure, panels = facets.grid(metrics_of(both), row_labels, facets.row_height_mm(row_labels, 4))
    for (structure, metric), axes in panels.items():
        theirs = of_panel(reported, structure, metric)
        square = {"s": 20, "marker": "s", "color": "#7a7a7a", "zorder": 3}
        axes.scatter(theirs["value"], theirs["team"].map(teams.index), **square)
        axes.axhline(len(teams) - 0.5, color=canvas.INK, linewidth=0.6)
        means = of_panel(ours, structure, metric)
        for mean in means.dropna(subset="mean").itertuples():
            row = len(teams) + entrants.index((mean.method, mean.init))
            if pd.notna(mean.low) and pd.notna(mean.high):
                axes.hlines(row, mean.low, mean.high, color=canvas.INK, linewidth=1)
            axes.scatter(mean.mean, row, s=14, zorder=3, **styles[mean.method, mean.init].dots)
        facets.scale_values(axes, metric, np.concatenate([theirs["value"], means["mean"]]))
    for structure, axes in facets.first_panels(panels).items():
        axes.set_title(styles.structure(structure))
    handles = [
        canvas.sign("published", color="#7a7a7a", marker="s", linestyle=""),
        canvas.sign("this run, 95 % interval", color=canvas.INK, marker="o"),
    ]
    canvas.key(figure, handles)
    return figure
