"""Bootstrap draws: specimens within each structure, and the seeds of each method.

Draws depend on the ranking's seed, the structure and the number of seeds alone: all metrics of a
structure see the same specimens, all structures the same seeds, and methods may be renamed, added
or left out without changing the draws of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..system.randomness import numpy_generator
from .discipline import Discipline, Floats

Statistic = Callable[[Floats, Floats], Floats]


class Bootstrap:
    """Replicated draws with replacement, as counts."""

    def __init__(self, seed: int, replicates: int) -> None:
        self.seed = seed
        self.replicates = replicates
        self.seed_counts = cache(self._seed_counts)

    def unit_counts(self, structure: str, units: int) -> Floats:
        """(replicates, units): how often each specimen of a structure is drawn."""
        generator = numpy_generator(self.seed, "specimens", structure)
        counts = generator.multinomial(units, np.full(units, 1 / units), self.replicates)
        return counts.astype(float)

    def _seed_counts(self, seeds: int) -> NDArray[np.int64]:
        """(replicates, seeds): how often each of an entrant's seeds is drawn.

        Entrants with equally many seeds draw the same ones, since run seed s shares its order of
        training patches among all of them.
        """
        counts = np.zeros((self.replicates, seeds), int)
        for draw in range(seeds):
            uniform = numpy_generator(self.seed, "seeds", draw).random(self.replicates)
            counts[np.arange(self.replicates), (uniform * seeds).astype(int)] += 1
        return counts

    def seed_draws(self, seeds: NDArray[np.int64]) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
        """Distinct draws for entrants with so many seeds each, and the replicates that made them.

        Yields weights (entrants, seeds), rows summing to 1, and a mask (replicates,).
        """
        numbers = np.unique(seeds)
        drawn = np.hstack([self.seed_counts(int(number)) for number in numbers])
        distinct, which = np.unique(drawn, axis=0, return_inverse=True)
        starts = np.cumsum(numbers) - numbers
        for index, counts in enumerate(distinct):
            weights = np.zeros((len(seeds), seeds.max()))
            for number, start in zip(numbers, starts, strict=True):
                weights[seeds == number, :number] = counts[start : start + number] / number
            yield weights, which == index

    def replicate(self, discipline: Discipline, statistic: Statistic) -> Floats:
        """(replicates, entrants): `statistic(case values, unit counts)` of every replicate."""
        units = self.unit_counts(discipline.structure, len(discipline.unit_names))
        result = np.empty((self.replicates, len(discipline.entrants)))
        for weights, members in self.seed_draws(discipline.seeds):
            result[members] = statistic(discipline.case_values(weights), units[members])
        return result
