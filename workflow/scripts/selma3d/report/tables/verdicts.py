"""Verdicts on the endpoints that were declared before scoring, in their order. Gain: of the mean
over the structures, positive where better, with a 95 % interval of crossed specimens and trainings.
Detects: the gain that this design finds with 80 % power. Exploratory: an endpoint before it was not
decided, so that it was not tested.
"""

from __future__ import annotations

import pandas as pd

from ...challenge.display import Display
from .. import labels
from ..gains import endpoint_name
from ..table_cells import with_interval
from ..table_formats import Printed

PLACE = 4.5
IN_A_PAPER = "Table of verdicts on pretraining"
SOURCES = ("verdicts",)


def printed(verdicts: pd.DataFrame, display: Display) -> Printed:
    """An endpoint a row: what was compared, verdict, gain [interval], design."""
    rows = []
    for row in verdicts.to_dict("records"):
        metric = row["metric"]
        rows.append(
            {
                "Endpoint": row["endpoint"],
                "Comparison": endpoint_name(row, display),
                "Metric": labels.metric_name(metric, arrow=False),
                "Verdict": row["verdict"],
                "Gain": with_interval(pd.Series(row), "gain", metric, sign=True),
                "Detects": labels.number(row["detectable"], metric),
                "Specimens": str(row["specimens"]),
                "Trainings": str(row["trainings"]),
            }
        )
    return Printed(pd.DataFrame(rows), text_columns=4)
