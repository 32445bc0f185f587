"""Claims about the crossed estimate of a gain: by hand, on simulated gains, and its power."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from selma3d.ranking.crossed_effects import (
    ALL_ALIKE,
    ONE_TRAINING,
    Floats,
    GainGrid,
    detectable_gain,
    error_terms,
    mean_gain,
    squared_error,
)
from selma3d.ranking.power import Spreads, design_detects, specimens_needed
from selma3d.system.errors import InputError
from selma3d.system.randomness import numpy_generator

SIMULATIONS = 4000
LEARNT_MICROGLIA = (0.009, 0.009, 0.008)
# Standard deviations of specimens, trainings and rest that experiments had.
SCENARIOS = {
    "learnt microglia": LEARNT_MICROGLIA,
    "never annotated": (0.042, 0.043, 0.030),
    "specimens vary": (0.030, 0.003, 0.010),
    "trainings vary": (0.005, 0.020, 0.005),
    "phantom c-Fos": (0.016, 0.004, 0.023),
    "phantom microglia": (0.001, 0.004, 0.007),
}


def grid(values: object, structure: str = "cfos", target: str = "spots", **details) -> GainGrid:
    values = np.asarray(values, float)
    return GainGrid(
        structure=structure,
        target=target,
        specimens=tuple(f"{structure}-{i}" for i in range(values.shape[-2])),
        trainings=tuple(range(values.shape[-1])),
        values=values,
        **details,
    )


def simulated(
    sds: tuple[float, float, float], specimens: int, trainings: int, gain: float = 0.0
) -> Floats:
    """(simulations, specimens, trainings): normal effects, the same at every call."""
    random = numpy_generator(0, "gains", *(str(sd) for sd in sds), specimens, trainings)
    return gain + (
        sds[0] * random.standard_normal((SIMULATIONS, specimens, 1))
        + sds[1] * random.standard_normal((SIMULATIONS, 1, trainings))
        + sds[2] * random.standard_normal((SIMULATIONS, specimens, trainings))
    )


def intervals(*grids: GainGrid, level: float = 0.05) -> tuple[Floats, Floats]:
    square, degrees = squared_error(error_terms(grids))
    half = stats.t.isf(level / 2, degrees) * np.sqrt(square)
    mean = np.mean([g.values.mean((-2, -1)) for g in grids], axis=0)
    return mean - half, mean + half


def coverage(*grids: GainGrid) -> float:
    low, high = intervals(*grids)
    return float(((low < 0) & (high > 0)).mean())


def analysis_of_variance(d: Floats) -> tuple[float, float, float]:
    """MS of rows, columns and rest, the textbook's way: sums over every cell."""
    n, s = d.shape
    mean = d.sum() / (n * s)
    rows = [sum(d[i]) / s for i in range(n)]
    columns = [sum(d[:, j]) / n for j in range(s)]
    of_rows = s * sum((row - mean) ** 2 for row in rows)
    of_columns = n * sum((column - mean) ** 2 for column in columns)
    total = sum((d[i, j] - mean) ** 2 for i in range(n) for j in range(s))
    rest = total - of_rows - of_columns
    return of_rows / (n - 1), of_columns / (s - 1), rest / ((n - 1) * (s - 1))


def test_two_by_two_example_follows_the_hand_worked_numbers() -> None:
    """Rows 0.02 and 0.06, columns 0.03 and 0.05, no rest: MS_a 0.0016, MS_b 0.0004, MS_e 0.

    SE² = 0.002 / 4 = 0.0005; degrees (0.002)² / (0.0016² + 0.0004²) = 4 / 2.72.
    """
    found = mean_gain([grid([[0.01, 0.03], [0.05, 0.07]])])
    assert found.gain == pytest.approx(0.04)
    assert found.standard_error**2 == pytest.approx(0.0005)
    assert found.degrees == pytest.approx(4 / 2.72)
    assert found.specimen_sd == pytest.approx((0.0016 / 2) ** 0.5)
    assert found.training_sd == pytest.approx((0.0004 / 2) ** 0.5)
    assert found.rest_sd == pytest.approx(0, abs=1e-9)
    assert (found.specimens, found.trainings) == (2, 2)


@pytest.mark.parametrize("seed", range(6))
def test_standard_error_is_that_of_the_analysis_of_variance(seed: int) -> None:
    random = np.random.default_rng(seed)
    d = random.normal(0, 0.02, (6, 1)) + random.normal(0, 0.02, (6, 4))
    a, b, e = analysis_of_variance(d)
    found = mean_gain([grid(d)])
    square = max(a + b - e, a, b)
    assert found.standard_error**2 == pytest.approx(square / 24)
    parts = {a + b - e: [(a, 5), (b, 3), (e, 15)], a: [(a, 5)], b: [(b, 3)]}[square]
    assert found.degrees == pytest.approx(square**2 / sum(x**2 / df for x, df in parts))


def test_p_and_interval_are_of_one_t() -> None:
    found = mean_gain([grid(simulated(LEARNT_MICROGLIA, 6, 4, gain=0.01)[0])])
    at_the_edge = replace(found, gain=found.gain - found.interval()[0])
    assert at_the_edge.interval()[0] == pytest.approx(0)
    assert at_the_edge.p == pytest.approx(0.05)
    assert found.interval(0.1)[0] > found.interval()[0]


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("trainings", [3, 5])
def test_interval_covers_the_true_gain(name: str, trainings: int) -> None:
    assert coverage(grid(simulated(SCENARIOS[name], 6, trainings))) >= 0.92


@pytest.mark.parametrize("name", SCENARIOS)
def test_gain_as_large_as_the_margin_is_rarely_called_irrelevant(name: str) -> None:
    """The 90 % interval lies inside the margin in 5 of 100 repetitions at most (6: simulated)."""
    margin = 2 * max(SCENARIOS[name])
    low, high = intervals(grid(simulated(SCENARIOS[name], 6, 5, gain=margin)), level=0.1)
    assert ((-margin < low) & (high < margin)).mean() <= 0.06


def test_interval_covers_the_mean_over_structures_that_share_their_trainings() -> None:
    """One fine-tuned model segments both: what it adds to both does not average out."""
    vessel = simulated((0.009, 0.0, 0.008), 6, 4)
    cfos = simulated((0.016, 0.0, 0.010), 5, 4)
    shared = simulated((0.0, 0.02, 0.0), 1, 4)
    grids = [grid(vessel + shared, "vessel", "all"), grid(cfos + shared, "cfos", "all")]
    assert coverage(*grids) >= 0.92
    apart = [replace(g, target=g.structure) for g in grids]
    assert coverage(*apart) < 0.9, "as if trained apart: too narrow"


def test_interval_covers_the_mean_over_structures_of_the_same_specimens() -> None:
    animals = simulated((0.03, 0.0, 0.0), 6, 1)
    grids = [
        replace(
            grid(animals + simulated((0.0, 0.004, sd), 6, 4), name, name), specimens=tuple("abcdef")
        )
        for name, sd in (("vessel", 0.011), ("cfos", 0.012))
    ]
    assert coverage(*grids) >= 0.92
    apart = [replace(g, specimens=tuple(f"{g.structure}{i}" for i in range(6))) for g in grids]
    assert coverage(*apart) < 0.9, "as if of other animals: too narrow"


def test_components_of_structures_of_their_own_are_summed() -> None:
    one, other = (simulated(LEARNT_MICROGLIA, n, 3)[n] for n in (5, 7))
    grids = [grid(one, "vessel", "vessel"), grid(other, "cfos", "cfos")]
    kinds = [error_terms([g]) for g in grids]
    both = error_terms(grids)
    for kind in ("specimens", "trainings", "rest"):
        separate = [getattr(terms, kind)[0].square / 4 for terms in kinds]
        assert [term.square for term in getattr(both, kind)] == pytest.approx(separate)


def test_structure_counted_twice_changes_nothing() -> None:
    values = simulated(LEARNT_MICROGLIA, 6, 4, gain=0.01)[1]
    once, twice = mean_gain([grid(values)]), mean_gain([grid(values), grid(values)])
    assert twice.interval() == pytest.approx(once.interval())
    assert twice.degrees == pytest.approx(once.degrees)


def test_one_training_answers_nothing() -> None:
    found = mean_gain([grid([[0.03], [0.02], [0.025]])])
    assert found.gain == pytest.approx(0.025)
    assert found.reason == ONE_TRAINING
    assert np.isnan([*found.interval(), found.p, found.detectable]).all()
    assert found.specimen_sd == pytest.approx(0.005)


@pytest.mark.parametrize("known", [True, False])
def test_unknown_or_single_specimens_give_an_interval_over_trainings_only(known: bool) -> None:
    values = [[0.01, 0.02, 0.06]] if known else [[0.01, 0.02, 0.06], [0.01, 0.02, 0.06]]
    found = mean_gain([grid(values, known=known)])
    assert found.conditional
    assert found.degrees == pytest.approx(2)
    assert found.standard_error == pytest.approx(np.std([0.01, 0.02, 0.06], ddof=1) / 3**0.5)
    assert np.isnan(found.specimen_sd)


def test_arms_that_are_the_same_everywhere_answer_nothing() -> None:
    found = mean_gain([grid(np.full((6, 3), 0.1))])
    assert found.reason == ALL_ALIKE
    assert np.isnan(found.interval()).all()


def test_missing_cell_is_refused_by_its_name() -> None:
    values = np.full((3, 2), 0.01)
    values[1, 1] = np.nan
    with pytest.raises(InputError, match="gains on cfos: specimen 'cfos-1', training 1"):
        grid(values)


@pytest.mark.parametrize("sds", [LEARNT_MICROGLIA, SCENARIOS["phantom c-Fos"]])
def test_detectable_gain_is_found_in_four_of_five_repetitions(
    sds: tuple[float, float, float],
) -> None:
    detectable = design_detects(Spreads(*sds), 6, 5)
    low, _ = intervals(grid(simulated(sds, 6, 5, gain=detectable)))
    assert (low > 0).mean() == pytest.approx(0.8, abs=0.06)


def test_detectable_gain_of_many_specimens_is_that_of_the_normal_distribution() -> None:
    assert detectable_gain(1.0, 1e6) == pytest.approx(
        stats.norm.isf(0.025) + stats.norm.isf(0.2), 1e-4
    )


def test_trainings_that_vary_are_not_made_up_for_by_specimens() -> None:
    spreads = Spreads(*LEARNT_MICROGLIA)
    assert specimens_needed(spreads, 0.02, trainings=3) is None
    needed = specimens_needed(spreads, 0.02, trainings=5)
    assert needed == 5
    assert design_detects(spreads, needed, 5) <= 0.02 < design_detects(spreads, needed - 1, 5)


def test_designs_below_two_specimens_and_trainings_find_nothing() -> None:
    spreads = Spreads(0.016, 0.004, 0.023)
    assert np.isnan([design_detects(spreads, 6, 1), design_detects(spreads, 1, 5)]).all()
    assert specimens_needed(spreads, 0.021, trainings=5) == 10


def test_power_follows_from_an_experiment_that_was_made() -> None:
    made = mean_gain([grid(simulated(LEARNT_MICROGLIA, 6, 5)[2])])
    spreads = Spreads.of(made)
    assert design_detects(spreads, 6, 5) == pytest.approx(made.detectable, rel=0.1)
    unknown = Spreads.of(mean_gain([grid([[0.1, 0.2, 0.1]], known=False)]))
    assert np.isnan(design_detects(unknown, 6, 5))
    assert specimens_needed(unknown, 0.02, trainings=5) is None
