"""Heterogeneity: the spread of a gain between structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from .crossed_effects import LEVEL, Gain, GainGrid, mean_gain

FEWEST_STRUCTURES = 3  # of a prediction interval


@dataclass(frozen=True)
class Heterogeneity:
    """The spread of gains between structures; NaN where the design can't tell.

    between: standard deviation of the structures' true gains, two structures at least. low, high:
    where the gain on another structure of this kind is expected (95 %), three at least.
    """

    between: float = np.nan
    low: float = np.nan
    high: float = np.nan


def heterogeneity(grids: Sequence[GainGrid], mean: Gain) -> Heterogeneity:
    """The spread between structures whose mean gain is `mean`.

    Gains of structures vary by their true spread and by their errors, minus what the errors have in
    common; the latter follows from the error of the mean (method of moments: Hedges and Olkin 1985,
    Statistical Methods for Meta-Analysis, chapter 9). Prediction interval: Higgins, Thompson and
    Spiegelhalter 2009, Journal of the Royal Statistical Society A 172, 137-159.
    """
    number = len(grids)
    if number < 2 or mean.reason:
        return Heterogeneity()
    each = [mean_gain([grid]) for grid in grids]
    squares = [0.0 if gain.reason else gain.standard_error**2 for gain in each]
    of_mean = mean.standard_error**2
    by_error = number / (number - 1) * (np.mean(squares) - of_mean)
    between = max(0.0, float(np.var([gain.gain for gain in each], ddof=1) - by_error))
    if number < FEWEST_STRUCTURES:
        return Heterogeneity(between**0.5)
    half = stats.t.isf(LEVEL / 2, number - 2) * (between * (1 + 1 / number) + of_mean) ** 0.5
    return Heterogeneity(between**0.5, mean.gain - half, mean.gain + half)
