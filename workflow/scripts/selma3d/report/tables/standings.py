"""Leaderboard with mean Dice and cost: CPU and GPU time summed over all jobs of an entrant, its
pretraining among them; memory is the highest of any job. What an ensemble's members cost is
counted with them. –: no masks or not scored; ranks hold the worst value against missing masks.
"""

from __future__ import annotations

import pandas as pd

from ...challenge.display import Display
from ...scoring.score_tables import ENTRANT
from .. import labels
from ..ranking_rows import segmented
from ..table_cells import decimals, millions
from ..table_formats import Printed

PLACE = 2
IN_A_PAPER = "Table of scores against cost"
SOURCES = ("leaderboard", "by_metric", "cost")
METRIC = "dice"  # every metric profile has it
SUMMED = ["cpu_hours", "gpu_hours"]
HIGHEST = ["peak_memory_gb", "parameters"]


def rows(leaderboard: pd.DataFrame, means: pd.DataFrame, cost: pd.DataFrame) -> pd.DataFrame:
    """An entrant a row, as placed: place, mean_rank, Dice of each structure, and its cost.

    Columns of Dice are called `dice <structure>`. Times are sums over jobs, memory is the highest
    of any job. NaN: what was not measured, and Dice on structures of which nothing was segmented,
    which place and mean rank hold the worst value against.
    """
    scored = means[(means["metric"] == METRIC) & segmented(means)]
    dice = scored.pivot_table(index=ENTRANT, columns="structure", values="mean", sort=False)
    dice.columns = [f"{METRIC} {structure}" for structure in dice.columns]
    by_entrant = cost.groupby(ENTRANT, sort=False)
    spent = pd.concat(
        [by_entrant[SUMMED].sum(min_count=1), by_entrant[HIGHEST].max()],
        axis=1,
    )
    placed = leaderboard[[*ENTRANT, "place", "mean_rank"]]
    return placed.merge(dice, how="left", on=ENTRANT).merge(spent, how="left", on=ENTRANT)


def printed(table: pd.DataFrame, display: Display) -> Printed:
    """The same with times in minutes; the best Dice of a structure is bold, unless it is 0."""
    scores = [column for column in table if column.startswith(f"{METRIC} ")]
    names = {c: f"Dice, {display.structure(c.removeprefix(f'{METRIC} '))}" for c in scores}
    rows, bold = [], []
    for row in table.to_dict("records"):
        rows.append(
            {
                "Entrant": display.entrant(row["method"], row["init"]),
                "Place": decimals(row["place"], 0),
                "Mean rank": labels.number(row["mean_rank"]),
                **{names[column]: labels.number(row[column], METRIC) for column in scores},
                "CPU (min)": labels.number(60 * row["cpu_hours"]),
                "GPU (min)": labels.number(60 * row["gpu_hours"]),
                "Peak memory (GB)": labels.number(row["peak_memory_gb"]),
                "Parameters (M)": millions(row["parameters"]),
            }
        )
        bold.append({names[column]: 0 < row[column] == table[column].max() for column in scores})
    return Printed(pd.DataFrame(rows), pd.DataFrame(bold))
