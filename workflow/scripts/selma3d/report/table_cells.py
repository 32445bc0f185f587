"""Cells of printed tables: names, numbers, numbers with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..challenge.display import Display
from . import labels


def names(structure: str, metric: str, method: str, init: str, display: Display) -> dict[str, str]:
    """The cells that say what a row is about."""
    return {
        "Structure": display.structure(structure),
        "Metric": labels.metric_name(metric),
        "Entrant": display.entrant(method, init),
    }


def standing(row: Mapping[str, Any], display: Display) -> dict[str, str]:
    """An entrant's place on a leaderboard."""
    return {
        "Entrant": display.entrant(row["method"], row["init"]),
        "Place": decimals(row["place"], 0),
        "95 % of places": _whole_interval(row["place_low"], row["place_high"]),
        "Mean rank": decimals(row["mean_rank"], 2),
    }


def decimals(value: float, places: int) -> str:
    """A number with so many decimals; "–" where it is unknown."""
    return "–" if pd.isna(value) else f"{value:.{places}f}"


def _whole_interval(low: float, high: float) -> str:
    """An interval of whole numbers; "–" where it is unknown."""
    return "–" if pd.isna(low) or pd.isna(high) else f"{low:.0f} to {high:.0f}"


def millions(count: float) -> str:
    """A number of parameters in millions."""
    return decimals(count / 1e6, 2)


def with_interval(row: pd.Series, column: str, metric: str, *, sign: bool = False) -> str:
    """A value of a metric with its interval, where it has one."""
    interval = labels.interval(row["low"], row["high"], metric, sign=sign)
    value = labels.number(row[column], metric, sign=sign)
    return f"{value} [{interval}]" if interval else value
