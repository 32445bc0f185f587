"""Numbers as pages of brains print them."""

from __future__ import annotations

import numpy as np

APART = "\u202f"  # thousands: a narrow space at which no line breaks


def number(value: object) -> str:
    """A count with thousands apart; another number with four significant digits; NaN as –."""
    if isinstance(value, int | np.integer):
        return f"{value:,}".replace(",", APART)
    if not np.isfinite(value):
        return "–"
    if abs(value) >= 1000:
        return f"{round(value):,}".replace(",", APART)
    return f"{value:.4g}"


def spread(mean: float, deviation: float) -> str:
    """A mean with its standard deviation, where there is one."""
    return number(mean) if np.isnan(deviation) else f"{number(mean)} ± {number(deviation)}"


def share(value: float) -> str:
    """A share in percent, with three significant digits."""
    return f"{100 * value:.3g} %"
