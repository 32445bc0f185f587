"""Scores per structure: mean ± standard deviation over cases; the best of a structure in bold. ∅:
the empty mask's value in every case, never bold whatever its rank; ∅ 2/6: in so many. –: no masks
or not scored; ranks hold the worst value against missing masks. Brackets: 95 % bootstrap intervals,
given from six known specimens on.
"""

from __future__ import annotations

import pandas as pd

from ...challenge.display import Display
from ...scoring.metrics import METRICS
from .. import labels
from ..ranking_rows import degenerate_mark, is_degenerate, segmented
from ..table_formats import Printed

PLACE = 3
IN_A_PAPER = "Table of scores per structure"
SOURCES = ("by_metric",)


def printed(means: pd.DataFrame, display: Display) -> Printed:
    """An entrant on a structure a row, a metric a column: mean ± sd [interval], the best bold."""
    metrics = [metric for metric in METRICS if metric in set(means["metric"])]
    rows, bold = [], []
    groups = means.groupby(["structure", "method", "init"], sort=False)
    for (structure, method, init), group in groups:
        by_metric = group.set_index("metric")
        row = {
            "Structure": display.structure(structure),
            "Entrant": display.entrant(method, init),
        }
        best = {}
        for metric in metrics:
            name, there = labels.metric_name(metric), metric in by_metric.index
            own = by_metric.loc[metric] if there else None
            row[name] = _mean(own, metric) if there else "–"
            best[name] = there and own["rank"] == 1 and not is_degenerate(own)
        rows.append(row)
        bold.append(best)
    return Printed(pd.DataFrame(rows), pd.DataFrame(bold), text_columns=2)


def _mean(row: pd.Series, metric: str) -> str:
    if not segmented(row):
        return "–"
    spread = "" if pd.isna(row["sd"]) else f" ± {labels.number(row['sd'], metric)}"
    interval = labels.interval(row["low"], row["high"], metric)
    number = labels.number(row["mean"], metric) + spread + (f" [{interval}]" if interval else "")
    return number + degenerate_mark(row)
