"""Shown, not ranked: metrics beside those of the ranking, mean ± standard deviation over cases with
every training patch. Pooled: all cases of a structure as if they were one image, so that a case
weighs by its voxels or objects and not like every other. Centroid F1: objects found within 10 µm,
or 5 voxels where the voxel size is unknown. –: not measured.
"""

from __future__ import annotations

import pandas as pd

from ...challenge.display import Display
from ...scoring.metrics import METRICS
from .. import labels
from ..table_formats import Printed

PLACE = 3.4
IN_A_PAPER = "Table of further metrics"
SOURCES = ("described",)


def printed(described: pd.DataFrame, display: Display) -> Printed:
    """An entrant on a structure a row, a metric a column; nothing is bold."""
    metrics = [metric for metric in METRICS if metric in set(described["metric"])]
    pooled = [m for m in metrics if described.loc[described["metric"] == m, "pooled"].notna().any()]
    rows = []
    groups = described.groupby(["structure", "method", "init"], sort=False)
    for (structure, method, init), group in groups:
        own = group.set_index("metric")
        row = {
            "Structure": display.structure(structure),
            "Entrant": display.entrant(method, init),
        }
        for metric in metrics:
            row[labels.metric_name(metric)] = _mean(own, metric)
            if metric in pooled:
                value = own.loc[metric, "pooled"] if metric in own.index else float("nan")
                row[f"{METRICS[metric].label}, pooled"] = labels.number(value, metric)
        rows.append(row)
    return Printed(pd.DataFrame(rows), text_columns=2)


def _mean(own: pd.DataFrame, metric: str) -> str:
    if metric not in own.index or own.loc[metric, "imputed"] == own.loc[metric, "cases"]:
        return "–"
    row = own.loc[metric]
    spread = "" if pd.isna(row["sd"]) else f" ± {labels.number(row['sd'], metric)}"
    return labels.number(row["mean"], metric) + spread
