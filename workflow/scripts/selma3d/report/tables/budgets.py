"""Mean scores by number of training patches. Brackets: 95 % bootstrap intervals, given from six
known specimens on.
"""

from __future__ import annotations

import pandas as pd

from ...challenge.display import Display
from ..gains import budgets_in_order
from ..table_cells import names, with_interval
from ..table_formats import Printed

PLACE = 4
IN_A_PAPER = "Table of scores over the amount of labels"
SOURCES = ("curves",)


def printed(curves: pd.DataFrame, display: Display) -> Printed:
    """Structure, metric and entrant a row, a label budget a column: mean [interval]."""
    numbered = curves.assign(budget=curves["budget"].astype(str))
    budgets = budgets_in_order(numbered)
    rows = []
    for (structure, metric, method, init), group in numbered.groupby(
        ["structure", "metric", "method", "init"], sort=False
    ):
        by_budget = group.set_index("budget")
        cells = {
            f"n = {budget}" if budget != "all" else "all": (
                with_interval(by_budget.loc[budget], "mean", metric)
                if budget in by_budget.index
                else "–"
            )
            for budget in budgets
        }
        rows.append(names(structure, metric, method, init, display) | cells)
    return Printed(pd.DataFrame(rows), text_columns=3)
