"""How often intervals of a gain hold the true one: the crossed t interval beside a bootstrap.

Gains are simulated with effects of specimens, trainings and a rest, normal or skewed (exponential),
and no gain on average. The bootstrap draws specimens and trainings with replacement, 1,000 times;
the signed-rank test has the mean gains of specimens and says "difference" where all six have one
sign (p = 0.031).
Run: PYTHONPATH=workflow/scripts OMP_NUM_THREADS=1 python benchmarks/gain_intervals.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from selma3d.ranking.crossed_effects import (
    Floats,
    GainGrid,
    Term,
    Terms,
    detectable_gain,
    error_terms,
    squared_error,
)
from selma3d.ranking.power import Spreads, design_detects, specimens_needed
from selma3d.system.randomness import numpy_generator

SIMULATIONS, REPLICATES = 2000, 1000
RELEVANT = 0.02


@dataclass(frozen=True)
class Scenario:
    """Standard deviations that an experiment had, and its size."""

    name: str
    spreads: Spreads
    trainings: int
    specimens: int = 6
    skewed: bool = False

    def gains(self) -> Floats:
        """(simulations, specimens, trainings), the true gain being 0."""
        n, s = self.specimens, self.trainings
        random = numpy_generator(0, self.name, n, s, int(self.skewed))

        def effects(*shape: int) -> Floats:
            size = (SIMULATIONS, *shape)
            return random.exponential(1, size) - 1 if self.skewed else random.normal(0, 1, size)

        sds = self.spreads
        return (
            sds.specimens * effects(n, 1) + sds.trainings * effects(1, s) + sds.rest * effects(n, s)
        )


MEASURED = {
    "learnt microglia": Spreads(0.009, 0.009, 0.008),
    "never annotated": Spreads(0.042, 0.043, 0.030),
    "specimens vary": Spreads(0.030, 0.003, 0.010),
    "trainings vary": Spreads(0.005, 0.020, 0.005),
    "phantom c-Fos": Spreads(0.016, 0.004, 0.023),
    "phantom microglia": Spreads(0.001, 0.004, 0.007),
}


def scenarios() -> list[Scenario]:
    """Every measured spread with one, three and five trainings, and skewed with three."""
    return [
        Scenario(name, spreads, trainings, skewed=skewed)
        for name, spreads in MEASURED.items()
        for trainings, skewed in ((1, False), (3, False), (5, False), (3, True))
    ]


def crossed_covers(gains: Floats) -> float:
    """Share of simulations whose crossed t interval holds 0."""
    _, specimens, trainings = gains.shape
    grid = GainGrid("a", "a", tuple(map(str, range(specimens))), tuple(range(trainings)), gains)
    square, degrees = squared_error(error_terms([grid]))
    half = stats.t.isf(0.025, degrees) * np.sqrt(square)
    return float((np.abs(gains.mean((1, 2))) < half).mean())


def bootstrap_covers(gains: Floats) -> float:
    """Share of simulations whose percentile bootstrap interval holds 0."""
    _, specimens, trainings = gains.shape
    random = numpy_generator(0, "bootstrap")
    of_specimens, of_trainings = (
        random.multinomial(number, np.full(number, 1 / number), REPLICATES) / number
        for number in (specimens, trainings)
    )
    means = np.einsum("rn,kns,rs->kr", of_specimens, gains, of_trainings, optimize=True)
    low, high = np.percentile(means, [2.5, 97.5], axis=1)
    return float(((low < 0) & (high > 0)).mean())


def signed_rank_claims(gains: Floats) -> float:
    """Share of simulations in which the mean gains of all specimens have one sign."""
    positive = gains.mean(2) > 0
    return float((positive.all(1) | ~positive.any(1)).mean())


def coverage_table() -> pd.DataFrame:
    """A row a scenario."""
    rows = []
    for scenario in scenarios():
        gains = scenario.gains()
        sds = scenario.spreads
        rows.append(
            {
                "scenario": scenario.name + (", skewed" if scenario.skewed else ""),
                "sd of specimens, trainings, rest": f"{sds.specimens:.3f} {sds.trainings:.3f} "
                f"{sds.rest:.3f}",
                "n × seeds": f"{scenario.specimens} × {scenario.trainings}",
                "bootstrap": f"{bootstrap_covers(gains):.0%}",
                "crossed": f"{crossed_covers(gains):.0%}",
                "signed-rank claims": f"{signed_rank_claims(gains):.0%}",
            }
        )
    return pd.DataFrame(rows)


ENDPOINTS = {
    "2 like learnt microglia": [MEASURED["learnt microglia"]] * 2,
    "4 like learnt microglia": [MEASURED["learnt microglia"]] * 4,
    "phantom c-Fos and microglia": [MEASURED["phantom c-Fos"], MEASURED["phantom microglia"]],
    "2 never annotated": [MEASURED["never annotated"]] * 2,
    "4 never annotated": [MEASURED["never annotated"]] * 4,
}
DESIGNS = ((6, 3), (6, 5), (10, 5), (10, 10), (20, 10))


def structures_detect(
    spreads: Sequence[Spreads], specimens: int, trainings: int, *, one_model: bool
) -> float:
    """The mean gain over structures that n specimens and s trainings of each find at 80 %.

    spreads: a structure each, with specimens of its own. one_model: one fine-tuned model segments
    them all, and a training that does well does so on each (the least favourable case); else each
    has trainings of its own.
    """
    n, s, k = specimens, trainings, len(spreads)
    rests = [each.rest**2 / (n * s) / k**2 for each in spreads]
    squares = [each.trainings**2 / s / k**2 + r for each, r in zip(spreads, rests, strict=True)]
    if one_model:
        squares = [sum(each.trainings for each in spreads) ** 2 / s / k**2 + sum(rests)]
    terms = Terms(
        specimens=tuple(
            Term(np.asarray(each.specimens**2 / n / k**2 + rest), n - 1)
            for each, rest in zip(spreads, rests, strict=True)
        ),
        trainings=tuple(Term(np.asarray(square), s - 1) for square in squares),
        rest=tuple(Term(np.asarray(rest), (n - 1) * (s - 1)) for rest in rests),
    )
    square, degrees = squared_error(terms)
    return detectable_gain(float(square**0.5), float(degrees))


def structures_table() -> pd.DataFrame:
    """Mean gains over several structures that designs find: a model each, or one for all."""
    rows = []
    for name, spreads in ENDPOINTS.items():
        for one_model in (False, True):
            found = {
                f"{n} × {s}": round(structures_detect(spreads, n, s, one_model=one_model), 3)
                for n, s in DESIGNS
            }
            rows.append({"structures": name, "models": "one" if one_model else "one each", **found})
    return pd.DataFrame(rows)


def main() -> None:
    """Print the coverage of both intervals, and what designs detect."""
    print("Coverage of 95 % intervals, and differences claimed where there is none (3.1 % asked):")
    print("One training: the crossed interval is over specimens only, and no verdict is given.")
    print(coverage_table().to_string(index=False))
    for name, spreads in MEASURED.items():
        designs = {
            s: {n: design_detects(spreads, n, s) for n in (4, 6, 10, 20)}
            | {"needed": specimens_needed(spreads, RELEVANT, s)}
            for s in (3, 5, 10)
        }
        print(f"\n{name}: gain that is found with 80 % power, by trainings and specimens;")
        print(f"and specimens that a gain of {RELEVANT} takes (NaN: more than 500, or none):")
        print(pd.DataFrame(designs).T.rename_axis("trainings").to_string(float_format="%.3f"))
    print("\nThe same of means over several structures, specimens of each × trainings:")
    print(structures_table().to_string(index=False))


if __name__ == "__main__":
    main()
