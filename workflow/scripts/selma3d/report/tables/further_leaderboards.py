"""Further leaderboards of the edition, of some entrants or groups alone, or averaged differently.
Ranks are those among the entrants shown; who predicted nothing of its structures is left out.
"""

from __future__ import annotations

import pandas as pd

from ...challenge.display import Display
from ..table_cells import decimals, standing
from ..table_formats import Printed

PLACE = 1.2
IN_A_PAPER = "Tables of separate rankings"
SOURCES = ("further_leaderboards",)


def printed(further: pd.DataFrame, display: Display) -> Printed:
    """A row an entrant of each leaderboard: place with its interval, and mean rank."""
    rows = [
        {
            "Leaderboard": row["title"],
            **standing(row, display),
            "Cases": decimals(row["cases"], 0),
        }
        for row in further.to_dict("records")
    ]
    return Printed(pd.DataFrame(rows), text_columns=2)
