"""The power of a design: the gain that it can find, and the specimens that a gain takes.

The three standard deviations come from an experiment (`crossed_effects.mean_gain`), the degrees of
freedom from the mean squares that the design is expected to have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .crossed_effects import Gain, Term, Terms, detectable_gain, squared_error


@dataclass(frozen=True)
class Spreads:
    """Standard deviations of the gains: of specimens, of trainings, and of the rest."""

    specimens: float
    trainings: float
    rest: float

    @classmethod
    def of(cls, gain: Gain) -> Spreads:
        """Those of an experiment. NaN where it can't tell: power is then unknown, too."""
        return cls(gain.specimen_sd, gain.training_sd, gain.rest_sd)


def design_detects(spreads: Spreads, specimens: int, trainings: int) -> float:
    """The gain that n specimens × s trainings find with 80 % power; NaN below 2 × 2.

    From the expected mean squares of the design, with the degrees of freedom that they give.
    """
    n, s = specimens, trainings
    if n < 2 or s < 2:
        return np.nan
    rest = spreads.rest**2 / (n * s)
    terms = Terms(
        specimens=(Term(np.asarray(spreads.specimens**2 / n + rest), n - 1),),
        trainings=(Term(np.asarray(spreads.trainings**2 / s + rest), s - 1),),
        rest=(Term(np.asarray(rest), (n - 1) * (s - 1)),),
    )
    square, degrees = squared_error(terms)
    return detectable_gain(float(square**0.5), float(degrees))


def specimens_needed(spreads: Spreads, gain: float, trainings: int, most: int = 500) -> int | None:
    """The fewest specimens that find a gain with 80 % power; None where even `most` do not.

    More specimens cannot make up for trainings that vary too much.
    """
    numbers = range(2, most + 1)
    return next((n for n in numbers if design_detects(spreads, n, trainings) <= gain), None)
