"""Heat maps with a row an entrant: tinted cells, and labels that tell its place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes

from ...challenge.display import Entrant
from ...ranking.tables import Tables
from . import canvas, facets
from .entrants import EntrantStyles


def placed_labels(tables: Tables, styles: EntrantStyles, entrants: Sequence[Entrant]) -> list[str]:
    """Labels of rows with the entrant's place on the leaderboard behind them."""
    leaderboard = tables["leaderboard"]
    places = leaderboard.set_index(["method", "init"])["place"].to_dict()
    row_labels = facets.row_labels(styles, entrants)
    return [
        f"{label}   {places[entrant]:.0f}" if pd.notna(places.get(entrant)) else f"{label}   –"
        for entrant, label in zip(entrants, row_labels, strict=True)
    ]


def draw_cells(
    axes: Axes, shares: np.ndarray, texts: Sequence[Sequence[str]], row_labels: Sequence[str]
) -> None:
    """Cells tinted by `shares` (0 … 1, NaN left white), each with a text that stays readable."""
    blues = colormaps["Blues"]
    axes.imshow(np.ma.masked_invalid(0.85 * shares), cmap=blues, vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        ground = blues(0.85 * share) if np.isfinite(share) else "white"
        axes.text(
            column, row, texts[row][column], ha="center", va="center", color=canvas.ink_on(ground)
        )
    axes.set_yticks(range(len(row_labels)), row_labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(0.5, shares.shape[1] - 1), minor=True)
    axes.set_yticks(np.arange(0.5, shares.shape[0] - 1), minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
