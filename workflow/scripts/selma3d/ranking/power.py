"""The power of a design: the gain that it can find, and the specimens that a gain takes.

The three standard deviations come from an experiment (`crossed_effects.mean_gain`), the degrees of
freedom from the mean squares that the design is expected to have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

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
    return structures_detect([spreads], specimens, trainings, one_model=False)


def structures_detect(
    spreads: Sequence[Spreads], specimens: int, trainings: int, *, one_model: bool
) -> float:
    """The mean gain over structures that n specimens and s trainings of each find at 80 %.

    spreads: a structure each, with specimens of its own. one_model: one fine-tuned model segments
    them all, and a training that does well does so on each (the least favourable case); else each
    has trainings of its own. NaN below 2 × 2.
    """
    n, s, k = specimens, trainings, len(spreads)
    if n < 2 or s < 2:
        return np.nan
    rests = [each.rest**2 / (n * s) / k**2 for each in spreads]
    of_trainings = [each.trainings**2 / s / k**2 for each in spreads]
    if one_model:
        together = sum(each.trainings for each in spreads) ** 2 / s / k**2
        training_terms = [Term(np.asarray(together + sum(rests)), s - 1)]
    else:
        training_terms = [
            Term(np.asarray(square + rest), s - 1)
            for square, rest in zip(of_trainings, rests, strict=True)
        ]
    terms = Terms(
        specimens=tuple(
            Term(np.asarray(each.specimens**2 / n / k**2 + rest), n - 1)
            for each, rest in zip(spreads, rests, strict=True)
        ),
        trainings=tuple(training_terms),
        rest=tuple(Term(np.asarray(rest), (n - 1) * (s - 1)) for rest in rests),
    )
    square, degrees = squared_error(terms)
    return detectable_gain(float(square**0.5), float(degrees))


def specimens_needed(spreads: Spreads, gain: float, trainings: int, most: int = 500) -> int | None:
    """The fewest specimens that find a gain with 80 % power; None where even `most` do not.

    More specimens cannot make up for trainings that vary too much.
    """
    numbers = range(2, most + 1)
    return next((n for n in numbers if design_detects(spreads, n, trainings) <= gain), None)


def power_table(
    spreads: Spreads,
    *,
    specimens: Sequence[int],
    trainings: Sequence[int],
    gain: float,
) -> pd.DataFrame:
    """A row a design: specimens, trainings, detectable, and how many specimens `gain` takes.

    specimens_needed is for the row's number of trainings; NaN where no number of specimens does.
    """
    rows = []
    for s in trainings:
        needed = specimens_needed(spreads, gain, s)
        for n in specimens:
            detects = design_detects(spreads, n, s)
            rows.append((n, s, detects, np.nan if needed is None else needed))
    columns = ["specimens", "trainings", "detectable", "specimens_needed"]
    return pd.DataFrame(rows, columns=columns)
