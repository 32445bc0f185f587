"""Controls: comparisons whose answer is known beforehand. Gain: with a 95 % interval of crossed
specimens and trainings. Detects: the gain that this design finds with 80 % power. CPU minutes: of
both arms, their trainings and predictions.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...challenge.display import Display
from .. import labels
from ..table_cells import decimals, with_interval
from ..table_formats import Printed

PLACE = 4.7
IN_A_PAPER = "Table of controls"
SOURCES = ("controls", "cost")


def rows(controls: pd.DataFrame, cost: pd.DataFrame) -> pd.DataFrame:
    """The ranking's table with the CPU minutes of both arms' trainings and predictions."""
    spent = cost.groupby(["method", "init"])["cpu_hours"].sum(min_count=1) * 60
    minutes = [
        sum(spent.get((row["method"], row[arm]), np.nan) for arm in ("init", "against"))
        for row in controls.to_dict("records")
    ]
    return controls.assign(cpu_minutes=np.array(minutes, dtype=float))


def printed(controls: pd.DataFrame, display: Display) -> Printed:
    """A control a row, with what was expected, what was found, and whether it passed."""
    columns = ["Control", "Comparison", "Structures", "Expected", "Found", "Outcome"]
    columns += ["Gain", "Detects", "Specimens", "Trainings", "CPU minutes"]
    rows = []
    for row in controls.to_dict("records"):
        metric, method = row["metric"], row["method"]
        arms = (display.entrant(method, row[arm]) for arm in ("init", "against"))
        structures = [display.structure(name) for name in row["structures"].split(",")]
        cells = (
            *(row["control"], " less ".join(arms), labels.listed(structures)),
            *(row["expected"], row["found"], "passed" if row["passed"] else "FAILED"),
            with_interval(pd.Series(row), "gain", metric, sign=True),
            labels.number(row["detectable"], metric),
            *(str(row["specimens"]), str(row["trainings"]), decimals(row["cpu_minutes"], 1)),
        )
        rows.append(dict(zip(columns, cells, strict=True)))
    return Printed(pd.DataFrame(rows, columns=columns), text_columns=6)
