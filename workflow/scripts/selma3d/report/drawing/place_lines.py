"""Lines through the places that entrants take under several rankings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...ranking.tables import Tables
from ..ranking_rows import in_order
from . import canvas, facets
from .entrants import EntrantStyles


def draw_places(
    tables: Tables, wide: pd.DataFrame, names: Sequence[str], styles: EntrantStyles
) -> Figure:
    """Lines through an entrant's places; labels stand at the right, one below the other."""
    entrants = in_order(tables, wide.reset_index())
    row_labels = facets.row_labels(styles, entrants)
    figure = canvas.sheet("column", len(entrants) * facets.row_height_mm(row_labels, 4.2) + 16)
    axes = figure.add_subplot()
    columns = np.arange(len(names))
    last = wide.iloc[:, -1]
    order = sorted(entrants, key=lambda e: (last[e], entrants.index(e)))
    for slot, entrant in enumerate(order, start=1):
        own_style = styles[entrant]
        axes.plot(columns, wide.loc[entrant], **own_style.curve, linewidth=1.2, zorder=3)
        ends = [columns[-1], columns[-1] + 0.16]
        axes.plot(ends, [last[entrant], slot], color=canvas.RULE, linewidth=0.6, zorder=1)
        axes.text(columns[-1] + 0.2, slot, facets.row_labels(styles, [entrant])[0], va="center")
    axes.set_xticks(columns, names)
    axes.set_xlim(-0.15, len(names) - 1 + 0.16)
    axes.set_ylim(len(entrants) + 0.5, 0.5)
    axes.yaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_ylabel("place")
    axes.grid(axis="y")
    return figure
