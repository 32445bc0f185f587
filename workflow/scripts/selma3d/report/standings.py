"""The leaderboard with what each place cost: one table, from the ranking's and the costs'."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from . import display
from .display import Styles
from .table_formats import Shown

SOURCES = ("leaderboard", "by_metric", "cost")
ENTRANT = ["method", "init"]
METRIC = "dice"  # every metric profile has it
SUMMED = ["cpu_hours", "gpu_hours"]
COSTS = ["peak_memory_gb", "parameters"]


def segmented(means: pd.DataFrame | pd.Series) -> pd.Series | bool:
    """Whether an entrant has masks of any case of a structure, of rows of the ranking's by_metric.

    Where it has none, their means are the worst values, which stand in for them in ranks.
    """
    return means["missing"] < means["cases"]


def standings(board: pd.DataFrame, means: pd.DataFrame, cost: pd.DataFrame) -> pd.DataFrame:
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
        [by_entrant[SUMMED].sum(min_count=1), by_entrant[COSTS].max()],
        axis=1,
    )
    placed = board[[*ENTRANT, "place", "mean_rank"]]
    return placed.merge(dice, how="left", on=ENTRANT).merge(spent, how="left", on=ENTRANT)


def shown_standings(table: pd.DataFrame, styles: Styles, titles: Mapping[str, str]) -> Shown:
    """As `standings`, times in minutes; the best Dice of a structure is bold."""
    scores = [column for column in table if column.startswith(f"{METRIC} ")]
    names = {c: f"Dice, {display.structure(titles, c.removeprefix(f'{METRIC} '))}" for c in scores}
    rows, bold = [], []
    for row in table.to_dict("records"):
        rows.append(
            {
                "Entrant": display.entrant(styles, row["method"], row["init"]),
                "Place": _whole(row["place"]),
                "Mean rank": display.number(row["mean_rank"]),
                **{names[column]: display.number(row[column], METRIC) for column in scores},
                "CPU (min)": display.number(60 * row["cpu_hours"]),
                "GPU (min)": display.number(60 * row["gpu_hours"]),
                "Peak memory (GB)": display.number(row["peak_memory_gb"]),
                "Parameters (M)": _millions(row["parameters"]),
            }
        )
        bold.append({names[column]: row[column] == table[column].max() for column in scores})
    return Shown(pd.DataFrame(rows), pd.DataFrame(bold))


def _whole(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.0f}"


def _millions(count: float) -> str:
    return "–" if pd.isna(count) else f"{count / 1e6:.2f}"
