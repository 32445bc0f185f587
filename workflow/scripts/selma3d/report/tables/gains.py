"""Gain of pretraining over training from scratch, in units of the metric. Brackets: 95 % intervals
of crossed specimens and trainings, given from two trainings an arm on; where specimens are unknown
they are over trainings only. All of it is exploratory: what was declared beforehand is judged in
the table of verdicts.
"""

from __future__ import annotations

import pandas as pd

from ...challenge.display import Display
from .. import labels
from ..table_cells import names, with_interval
from ..table_formats import Printed

PLACE = 5
IN_A_PAPER = "Table of the effect of pretraining"
SOURCES = ("gains",)


def printed(gains: pd.DataFrame, display: Display) -> Printed:
    """A comparison a row: without, with, gain [interval], specimens, trainings."""
    rows = []
    for row in gains.to_dict("records"):
        metric, specimens = row["metric"], row["specimens"]
        rows.append(
            names(row["structure"], metric, row["method"], row["init"], display)
            | {
                "Patches": str(row["budget"]),
                "Scratch": labels.number(row["scratch"], metric),
                "Pretrained": labels.number(row["pretrained"], metric),
                "Gain": with_interval(pd.Series(row), "gain", metric, sign=True),
                "Specimens": str(specimens) if specimens else "unknown",
                "Trainings": str(row["seeds"]),
            }
        )
    return Printed(pd.DataFrame(rows), text_columns=3)
