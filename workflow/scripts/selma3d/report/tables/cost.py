"""Cost of each entrant, summed over all its jobs; memory is the highest of any job."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...challenge.display import Display
from ...ranking.cost import STAGES
from ..table_cells import decimals, millions
from ..table_formats import Printed

PLACE = 6
IN_A_PAPER = "Table of compute cost"
SOURCES = ("cost",)


def printed(cost: pd.DataFrame, display: Display) -> Printed:
    """An entrant a row: parameters, GPU hours (hours, where there is no GPU) by stage, memory."""
    unit = "gpu_hours" if cost["gpu_hours"].sum() > 0 else "hours"
    name = "GPU h" if unit == "gpu_hours" else "h"
    rows = []
    for (method, init), group in cost.groupby(["method", "init"], sort=False):
        by_stage = group.groupby("stage")[unit].sum()
        rows.append(
            {
                "Entrant": display.entrant(method, init),
                "Parameters (M)": millions(group["parameters"].iloc[0]),
                **{
                    f"{stage} ({name})": decimals(by_stage.get(stage, np.nan), 2)
                    for stage in STAGES
                    if stage in set(cost["stage"])
                },
                f"Total ({name})": decimals(by_stage.sum(), 2),
                "Peak memory (GB)": decimals(group["peak_memory_gb"].max(), 1),
            }
        )
    return Printed(pd.DataFrame(rows))
