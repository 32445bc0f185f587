"""How methods, inits, metrics and numbers are written in figures, tables and the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..challenge.run import CONTROLS, is_ensemble, member_init
from ..scoring.metrics import METRICS

Styles = Mapping[str, Mapping[str, Any]]

NO_INIT = "default"  # a method that learns nothing starts from nothing
MINUS = "\N{MINUS SIGN}"


def is_pretrained(init: str) -> bool:
    """Whether models of this init start from an encoder; `scratch-long` is a control, not one."""
    return init != NO_INIT and member_init(init) not in CONTROLS


def entrant(styles: Styles, method: str, init: str) -> str:
    """Title of a leaderboard row, such as "U-Net · masked"; without a title, the method's name."""
    title = str(styles.get(method, {}).get("title", method))
    if is_ensemble(init):
        return f"{title} · {member_init(init)}, ensemble"
    return title if init == NO_INIT else f"{title} · {init}"


def structure(titles: Mapping[str, str] | None, name: str) -> str:
    """Title of a structure, its name if it has none; a left-out twin says that it is one."""
    titles = titles or {}
    whole = name.removesuffix("-unseen")
    if name not in titles and whole != name and whole in titles:
        return f"{titles[whole]} (left out of training)"
    return titles.get(name, name)


def is_higher_better(metric: str) -> bool:
    """Direction of a metric."""
    return METRICS[metric].direction == "higher"


def is_bounded(metric: str) -> bool:
    """Whether a metric lives in 0 … 1."""
    return math.isfinite(METRICS[metric].highest)


def metric_name(metric: str, *, arrow: bool = True, unit: bool = True) -> str:
    """Label of a metric with the direction that is better and its unit, such as "Dice ↑"."""
    label = METRICS[metric].label
    if arrow:
        label += " ↑" if is_higher_better(metric) else " ↓"
    if unit and METRICS[metric].unit:
        label += f" ({METRICS[metric].unit})"
    return label


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
