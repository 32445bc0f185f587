"""Weights of metrics in the ranking: the share of each in the mean rank. Ranks are averaged over a
group's structures and metrics, then over groups, so that a metric of a small group weighs more.
"""

from __future__ import annotations

import pandas as pd

from ...challenge.display import Display
from .. import labels
from ..table_formats import Printed

PLACE = 1.5
IN_A_PAPER = "Weights of the metrics in the ranking"
SOURCES = ("weights",)


def printed(weights: pd.DataFrame, display: Display) -> Printed:
    """A structure a row, a metric a column, in percent."""
    rows = []
    metrics = list(dict.fromkeys(weights["metric"]))
    for (group, structure), own in weights.groupby(["group", "structure"], sort=False):
        shares = own.set_index("metric")["weight"]
        rows.append(
            {
                "Structure": display.structure(structure),
                "Group": group,
                **{
                    labels.metric_name(name, arrow=False, unit=False): (
                        f"{100 * shares[name]:.3g} %" if name in shares else "–"
                    )
                    for name in metrics
                },
                "Together": f"{100 * shares.sum():.3g} %",
            }
        )
    return Printed(pd.DataFrame(rows), text_columns=2)
