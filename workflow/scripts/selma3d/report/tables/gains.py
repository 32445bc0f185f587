"""Gain of pretraining over training from scratch, in units of the metric; Improved: share of
specimens that are better with it (of cases, where specimens are unknown). p: paired Wilcoxon
signed-rank test, Holm-adjusted. Brackets: 95 % bootstrap intervals, given from six known
specimens on.
"""

from __future__ import annotations

import pandas as pd

from ...challenge.display import Display
from .. import labels
from ..cells import names, with_interval
from ..printing import Printed

PLACE = 5
IN_A_PAPER = "Table of the effect of pretraining"
SOURCES = ("gains",)


def rows(gains: pd.DataFrame) -> pd.DataFrame:
    """The ranking's table as it is."""
    return gains


def printed(gains: pd.DataFrame, display: Display) -> Printed:
    """A comparison a row: without, with, gain [interval], who improved, p."""
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
                "Improved": "–" if pd.isna(row["better"]) else f"{100 * row['better']:.0f} %",
                "Specimens": str(specimens) if specimens else "unknown",
                "p (Holm)": "–" if pd.isna(row["p_holm"]) else f"{row['p_holm']:.3g}",
            }
        )
    return Printed(pd.DataFrame(rows), text_columns=3)
