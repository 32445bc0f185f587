"""Gains and verdicts as figures, tables and sentences show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..challenge.display import Display
from ..ranking.tables import Tables
from ..ranking.verdicts import AGAINST_LONG, PRIMARY, SMALLEST_BUDGET, UNSEEN
from ..scoring.metrics import METRICS
from . import labels

ENDPOINTS = {
    PRIMARY: "primary endpoint",
    UNSEEN: "on structures or acquisitions that were never learnt from",
    SMALLEST_BUDGET: "with the fewest labels",
    AGAINST_LONG: "against as long a training from scratch",
}


def declared_metric(tables: Tables) -> str | None:
    """The metric of the declared analysis; without one, the first that has gains."""
    verdicts = tables["verdicts"]
    if len(verdicts):
        return str(verdicts["metric"].iloc[0])
    present = set(tables["gains"]["metric"])
    return next((metric for metric in METRICS if metric in present), None)


def of_declared_metric(tables: Tables) -> pd.DataFrame:
    """The rows of `gains` in that metric."""
    gains = tables["gains"]
    return gains[gains["metric"] == declared_metric(tables)].dropna(subset="gain")


def improved(gains: pd.DataFrame) -> pd.DataFrame:
    """Gains with improvement, least and most: gain and interval, positive where better."""
    signs = gains["metric"].map(lambda metric: labels.improvement(metric, 1.0)).astype(float)
    bounds = np.sort((gains[["low", "high"]].astype(float).mul(signs, axis=0)).to_numpy(), axis=1)
    return gains.assign(
        budget=gains["budget"].astype(str),
        improvement=signs * gains["gain"].astype(float),
        least=bounds[:, 0],
        most=bounds[:, 1],
    )


def budgets_in_order(table: pd.DataFrame) -> list[str]:
    """A table's budgets in order of size, `all` last."""
    return sorted(set(table["budget"].astype(str)), key=lambda b: (b == "all", b.zfill(9)))


def budget_name(budget: str) -> str:
    """A label budget in words."""
    return "every patch" if budget == "all" else labels.count(int(budget), "patch", "patches")


def endpoint_name(row: Mapping[str, Any], display: Display) -> str:
    """An endpoint in words: what is compared with what, where, and with how many labels."""
    structures = [display.structure(name) for name in str(row["structures"]).split(",")]
    against = "" if row["against"] == "scratch" else f" against {row['against']}"
    return (
        f"{display.entrant(row['method'], row['init'])}{against} on {labels.listed(structures)}, "
        f"{budget_name(str(row['budget']))}"
    )
