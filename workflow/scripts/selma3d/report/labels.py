"""Metrics and numbers as figures, tables and sentences write them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..scoring.metrics import METRICS

MINUS = "\N{MINUS SIGN}"
LENGTH_UNITS = ("µm", "voxels")  # of lengths where the voxel size is known, and where not


def is_higher_better(metric: str) -> bool:
    """Direction of a metric."""
    return METRICS[metric].direction == "higher"


def is_bounded(metric: str) -> bool:
    """Whether a metric lives in 0 … 1."""
    return math.isfinite(METRICS[metric].highest)


def metric_name(metric: str, *, arrow: bool = True, unit: bool = True, lengths_in: str = "") -> str:
    """Label of a metric with the direction that is better and its unit, such as "Dice ↑".

    lengths_in: the unit of lengths where it is known, "µm" or "voxels".
    """
    label = METRICS[metric].label
    if arrow:
        label += " ↑" if is_higher_better(metric) else " ↓"
    if unit and METRICS[metric].unit:
        label += f" ({unit_of(METRICS[metric].unit, lengths_in)})"
    return label


def unit_of(unit: str, lengths_in: str) -> str:
    """A unit such as "µm or voxels", told which of both it is where `lengths_in` says so."""
    choices = unit.split(" or ")
    if len(choices) != 2 or lengths_in not in LENGTH_UNITS:
        return unit
    return choices[LENGTH_UNITS.index(lengths_in)]


def improvement(metric: str, gain: float) -> float:
    """A difference in a metric, positive where it is for the better."""
    return gain if is_higher_better(metric) else -gain


def number(value: float, metric: str | None = None, *, sign: bool = False) -> str:
    """A score as printed: three decimals in 0 … 1, else three significant digits; NaN is "–"."""
    if value is None or math.isnan(value):
        return "–"
    if metric is not None and is_bounded(metric):
        digits = 3
    else:
        digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:+.{min(digits, 3)}f}" if sign else f"{value:.{min(digits, 3)}f}"
    if not float(text):
        return text.lstrip("+-")
    return text.replace("-", MINUS)


def interval(low: float, high: float, metric: str | None = None, *, sign: bool = False) -> str:
    """An interval as printed, "" where it is not given (too few specimens)."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"{number(low, metric, sign=sign)} to {number(high, metric, sign=sign)}"


def count(amount: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun, such as "1 specimen", "3 specimens"."""
    return f"{amount} {noun if amount == 1 else plural or noun + 's'}"


def listed(names: Sequence[str]) -> str:
    """Names joined as in a sentence: "a", "a and b", "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
