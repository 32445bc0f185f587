"""Published scores beside ours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from . import facets, style
from .looks import Looks


def draw_reported(tables: Mapping[str, pd.DataFrame], looks: Looks) -> Figure:
    """`reported` (team, structure, metric, value, source) against `by_metric`."""
    reported = tables.get("reported", pd.DataFrame())
    ours = tables.get("by_metric", pd.DataFrame())
    if reported.empty or ours.empty:
        return style.statement(
            "No published scores to compare with: config/reported holds none for this edition. "
            "Fill in team, structure, metric, value and source to see them beside ours.",
            "page",
        )
    keys = ["structure", "metric"]
    both = reported[keys].drop_duplicates().merge(ours[keys].drop_duplicates())
    if both.empty:
        return style.statement(
            "The published scores are on other structures or metrics than this run's.", "page"
        )
    entrants = facets.in_order(tables, ours)
    teams = list(dict.fromkeys(reported["team"]))
    labels = [f"{team} (published)" for team in teams] + facets.row_labels(looks, entrants)
    figure, panels = facets.grid(facets.metrics_of(both), labels, facets.row_height_mm(labels, 4))
    for (structure, metric), axes in panels.items():
        theirs = facets.of(reported, structure, metric)
        axes.scatter(
            theirs["value"],
            theirs["team"].map(teams.index),
            s=20,
            marker="s",
            color="#7a7a7a",
            zorder=3,
        )
        axes.axhline(len(teams) - 0.5, color=style.INK, linewidth=0.6)
        means = facets.of(ours, structure, metric)
        for mean in means.dropna(subset="mean").itertuples():
            row = len(teams) + entrants.index((mean.method, mean.init))
            if pd.notna(mean.low) and pd.notna(mean.high):
                axes.hlines(row, mean.low, mean.high, color=style.INK, linewidth=1)
            axes.scatter(mean.mean, row, s=14, zorder=3, **looks[mean.method, mean.init].dots)
        facets.scale_values(axes, metric, np.concatenate([theirs["value"], means["mean"]]))
    for structure in dict.fromkeys(name for name, _ in panels):
        first = next(axes for (name, _), axes in panels.items() if name == structure)
        first.set_title(looks.structure(structure))
    handles = [
        Line2D([], [], color="#7a7a7a", marker="s", linestyle="", label="published"),
        Line2D([], [], color=style.INK, marker="o", label="this run, 95 % interval"),
    ]
    style.key(figure, handles)
    return figure
