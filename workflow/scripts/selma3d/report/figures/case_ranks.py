"""A cell says how often an entrant took a rank when every case and metric is
ranked by itself, in percent of its cases and metrics; ties share the better rank. A consistent
entrant has one dark cell, an erratic one a pale row. The number beside a name is its place on
the leaderboard.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from ...ranking.tables import Tables
from ..drawing import canvas, facets, heatmap
from ..drawing.entrants import EntrantStyles
from ..ranking_rows import case_ranks, in_order, ranked_cases

CATEGORY, PLACE = "Ranking", 2
TITLE = "Ranks case by case"
IN_A_PAPER = "Ranking heat map over cases"


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Heat map of how often each entrant took each rank over cases and metrics."""
    cases = ranked_cases(tables).copy()
    if cases.empty:
        return canvas.statement("No case has been scored with every training patch.", "page")
    entrants = in_order(tables, cases)
    cases["rank"] = case_ranks(cases)
    counts = cases.groupby(["method", "init"])["rank"].value_counts().unstack(fill_value=0)
    places = range(1, len(entrants) + 1)
    counts = counts.reindex(index=pd.MultiIndex.from_tuples(entrants), columns=places, fill_value=0)
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0).to_numpy()
    row_labels = heatmap.placed_labels(tables, styles, entrants)
    row_mm = facets.row_height_mm(row_labels, 4.2)
    wide = len(entrants) > 8
    figure = canvas.sheet("page" if wide else "column", len(entrants) * row_mm + 14)
    axes = figure.add_subplot()
    texts = [[f"{100 * share:.0f}" if share else "" for share in row] for row in shares]
    heatmap.draw_cells(axes, shares, texts, row_labels)
    axes.set_xticks(range(len(entrants)), list(places))
    each = cases[["structure", "case", "metric"]].drop_duplicates()
    axes.set_xlabel(f"rank in a case and metric\n(numbers: % of {len(each)} cases and metrics)")
    return figure
