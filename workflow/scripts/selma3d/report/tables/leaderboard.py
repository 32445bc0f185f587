"""Leaderboard. Ranks per metric, averaged within and then over groups of structures; ties share the
better place. Places are bootstrapped where every structure has at least six known specimens.
"""

from __future__ import annotations

import pandas as pd

from ...challenge.display import Display
from ..table_cells import decimals, standing
from ..table_formats import Printed

PLACE = 1
IN_A_PAPER = "Table of the final ranking"
SOURCES = ("leaderboard",)


def printed(leaderboard: pd.DataFrame, display: Display) -> Printed:
    """Place with its interval, mean ranks, and what was missing."""
    groups = [column for column in leaderboard if column.startswith("rank ")]
    rows = []
    for row in leaderboard.to_dict("records"):
        rows.append(
            {
                **standing(row, display),
                **{f"Mean rank, {g.removeprefix('rank ')}": decimals(row[g], 2) for g in groups},
                "Missing predictions": f"{row['missing']:.0f}",
                "Undefined values": f"{row['nan_prediction']:.0f}",
            }
        )
    return Printed(pd.DataFrame(rows))
