"""The area of a disc is the share of bootstrap samples (specimens and seeds drawn with
replacement) in which the entrant took that place; the diamond is its place on
all cases, the line the central 95 % of places, given where every structure has at least six
known specimens.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...ranking.tables import Tables
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles
from ..ranking_rows import in_order

CATEGORY, PLACE = "Stability of the ranking", 9
TITLE = "How stable the places are"
IN_A_PAPER = "Ranking stability (blob plot)"


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Blob plot of bootstrap places."""
    bootstrap = tables["bootstrap"]
    leaderboard = tables["leaderboard"]
    if bootstrap.empty or leaderboard.empty:
        return canvas.statement(
            "The ranking was not bootstrapped, so nothing is known about its stability."
        )
    entrants = in_order(tables, bootstrap)
    row_labels = facets.row_labels(styles, entrants)
    row_mm = facets.row_height_mm(row_labels, 5.2)
    figure = canvas.sheet("column", len(entrants) * row_mm + 14)
    axes = figure.add_subplot()
    places = bootstrap.dropna(subset="place")
    shares = places.groupby(["method", "init"])["place"].value_counts(normalize=True)
    largest = (0.85 * row_mm * canvas.MM * 72) ** 2  # points², of a disc that fills its row
    for (method, init, place), share in shares.items():
        own_style = styles[method, init]
        row = entrants.index((method, init))
        axes.scatter(place, row, s=largest * share, color=own_style.colour, alpha=0.55, linewidth=0)
    for entry in leaderboard.itertuples():
        row = entrants.index((entry.method, entry.init))
        if pd.notna(entry.place_low) and pd.notna(entry.place_high):
            axes.hlines(row, entry.place_low, entry.place_high, color=canvas.INK, linewidth=1)
        diamond = {"marker": "D", "facecolor": "white", "edgecolor": canvas.INK, "linewidth": 0.8}
        axes.scatter(entry.place, row, s=9, zorder=4, **diamond)
    axes.set_yticks(range(len(entrants)), row_labels)
    axes.set_ylim(len(entrants) - 0.4, -0.6)
    axes.set_xlim(0.4, len(entrants) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.grid(axis="both")
    amount = bootstrap["replicate"].nunique()
    given = leaderboard["place_low"].notna().any()
    reason = "" if given else "\n(too few known specimens for intervals)"
    axes.set_xlabel(f"place in {amount} bootstrap samples{reason}")
    return figure
