"""Shown, not ranked: what is counted and measured on masks, beside the truth's, over cases. Bias:
mean of predicted − true, with the limits of agreement in brackets (bias ± 1.96 standard deviations;
Bland and Altman 1986). Relative: of the sums over all cases. Concordance: Lin's coefficient (1989),
1 where every number is the truth's. Radius and branch points are of the skeleton.
"""

from __future__ import annotations

import pandas as pd

from ...challenge.display import Display
from ...scoring.metrics import QUANTITIES
from .. import labels
from ..table_formats import Printed

PLACE = 3.6
IN_A_PAPER = "Table of agreement of counts and lengths"
SOURCES = ("agreement",)


def printed(agreement: pd.DataFrame, display: Display) -> Printed:
    """A quantity of an entrant on a structure a row."""
    order = list(QUANTITIES)
    ordered = agreement.assign(order=agreement["quantity"].map(order.index)).sort_values(
        ["structure", "order"], kind="stable"
    )
    rows = []
    for row in ordered.to_dict("records"):
        quantity = QUANTITIES[row["quantity"]]
        unit = f" ({quantity.unit})" if quantity.unit else ""
        limits = labels.interval(row["low"], row["high"], sign=True)
        bias = labels.number(row["bias"], sign=True)
        relative = row["relative"]
        rows.append(
            {
                "Structure": display.structure(row["structure"]),
                "Quantity": f"{quantity.label}{unit}",
                "Entrant": display.entrant(row["method"], row["init"]),
                "True": labels.number(row["truth"]),
                "Predicted": labels.number(row["predicted"]),
                "Bias": f"{bias} [{limits}]" if limits else bias,
                "Relative": "–" if pd.isna(relative) else _percent(relative),
                "Concordance": labels.number(row["concordance"], "dice"),
                "Cases": f"{row['cases']:.0f}",
            }
        )
    return Printed(pd.DataFrame(rows), text_columns=3)


def _percent(share: float) -> str:
    return f"{100 * share:+.0f} %".replace("-", labels.MINUS)
