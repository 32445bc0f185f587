"""The gain of pretraining where specimens and trainings both vary: estimate, interval and power.

Every specimen is segmented by every training, so the two are crossed. The gain on specimen i in
training j (a pretrained network minus its partner, of the same seed) is taken to be

    d_ij = gain + specimen_i + training_j + rest_ij

with three independent effects. The mean squares of a two-way analysis of variance give the
standard error of the mean gain, Satterthwaite's approximation its degrees of freedom. Sources:
mean squares of two crossed random effects, Searle, Casella and McCulloch 1992, Variance Components,
chapter 4; degrees of freedom, Satterthwaite 1946, Biometrics Bulletin 2, 110-114.

A percentile bootstrap of so few specimens and trainings gives intervals that are too narrow:
`benchmarks/gain_intervals.py` has both.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from ..system.errors import InputError

Floats = NDArray[np.float64]

LEVEL = 0.05  # of the two-sided test, and 1 - level the confidence of the interval
MARGIN_LEVEL = 0.1  # two one-sided tests of 5 % are an interval of 90 % (Schuirmann 1987)
POWER = 0.8
ONE_TRAINING = "not answerable with one training an arm"
ALL_ALIKE = "not answerable: all specimens and trainings have the same gain"


@dataclass(frozen=True)
class GainGrid:
    """Gains on one structure, a row a specimen and a column a training.

    values: (..., specimens, trainings); leading axes hold simulated repetitions.
    Structures with the same target share their trainings, those with a specimen of the same name
    that specimen. Where the specimens are unknown (`known` false), rows are parts of the test set
    that say nothing of other specimens.
    """

    structure: str
    target: str
    specimens: tuple[str, ...]
    trainings: tuple[Hashable, ...]
    values: Floats
    known: bool = True

    def __post_init__(self) -> None:
        expected = (len(self.specimens), len(self.trainings))
        if self.values.shape[-2:] != expected or 0 in expected:
            raise InputError(
                f"gains on {self.structure}: expected {expected[0]} specimens × {expected[1]} "
                f"trainings, at least one of each, found an array of {self.values.shape}"
            )
        absent = np.argwhere(~np.isfinite(self.values))
        if len(absent):
            row, column = absent[0][-2:]
            raise InputError(
                f"gains on {self.structure}: specimen {self.specimens[row]!r}, training "
                f"{self.trainings[column]!r}: expected a number in both arms, found none "
                "(a missing prediction takes its metric's worst value before)"
            )

    @property
    def specimens_vary(self) -> bool:
        """Whether the rows tell how much specimens vary."""
        return self.known and len(self.specimens) > 1

    @property
    def trainings_vary(self) -> bool:
        """Whether the columns tell how much trainings vary."""
        return len(self.trainings) > 1


@dataclass(frozen=True)
class Term:
    """A share of a squared standard error, and the degrees of freedom that it has."""

    square: Floats
    degrees: int


@dataclass(frozen=True)
class Terms:
    """What specimens, trainings and the rest contribute: MS_a, MS_b and MS_e over (n·s)."""

    specimens: tuple[Term, ...]
    trainings: tuple[Term, ...]
    rest: tuple[Term, ...]


@dataclass(frozen=True)
class Gain:
    """A mean gain with its interval; NaN where `reason` says why there is none.

    specimens, trainings: the fewest of a structure. degrees: of freedom. specimen_sd, training_sd,
    rest_sd: standard deviations of the three effects on the mean over the structures; NaN where the
    design can't tell. conditional: of some structure the specimens are unknown or there is only
    one, and its interval is over trainings only, on these very images.
    """

    gain: float
    specimens: int
    trainings: int
    conditional: bool
    reason: str = ""
    specimen_sd: float = np.nan
    training_sd: float = np.nan
    rest_sd: float = np.nan
    standard_error: float = np.nan
    degrees: float = np.nan

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The t interval of confidence 1 - level."""
        half = stats.t.isf(level / 2, self.degrees) * self.standard_error
        return self.gain - half, self.gain + half

    @property
    def p(self) -> float:
        """Two-sided p of the same t; below 0.05 exactly where the interval leaves out 0."""
        return float(2 * stats.t.sf(abs(self.gain) / self.standard_error, self.degrees))

    @property
    def detectable(self) -> float:
        """The gain that a design with this error would find in 80 of 100 repetitions."""
        return detectable_gain(self.standard_error, self.degrees)


def mean_gain(grids: Sequence[GainGrid]) -> Gain:
    """The equal-weight mean gain over structures, with its crossed standard error.

    Components of variance of the structures are summed; the effect of a training that several
    structures share (those of one target), and of a specimen, is added up before it is squared.
    """
    terms = error_terms(grids)
    square, degrees = squared_error(terms)
    specimens = min(len(grid.specimens) for grid in grids)
    trainings = min(len(grid.trainings) for grid in grids)
    reason = _reason(grids, float(square))
    sds = standard_deviations(terms, specimens, trainings)
    found = {} if reason else {"standard_error": float(square**0.5), "degrees": float(degrees)}
    return Gain(
        gain=float(np.mean([grid.values.mean() for grid in grids])),
        specimens=specimens,
        trainings=trainings,
        specimen_sd=sds[0],
        training_sd=sds[1],
        rest_sd=sds[2],
        conditional=not all(grid.specimens_vary for grid in grids),
        reason=reason,
        **found,
    )


def _reason(grids: Sequence[GainGrid], square: float) -> str:
    if not all(grid.trainings_vary for grid in grids):
        return ONE_TRAINING
    largest = max(np.abs(grid.values).max() for grid in grids)
    rounding = (1e-12 * max(1.0, float(largest))) ** 2  # differences of floating-point means
    return ALL_ALIKE if square <= rounding else ""


def squared_error(terms: Terms) -> tuple[Floats, Floats]:
    """The squared standard error of a mean gain and its degrees of freedom.

    max(MS_a + MS_b - MS_e, MS_a, MS_b) / (n·s): the sum estimates it without bias, and falls below
    one of its parts only where another component is estimated as negative. Degrees of freedom of
    what was taken, by Satterthwaite: (its value)² / sum of (term² / degrees of the term).
    """
    specimens, trainings, rest = (_sum(kind) for kind in _kinds(terms))
    of_specimens, of_trainings, of_rest = (
        _sum([Term(term.square**2 / term.degrees, 1) for term in kind]) for kind in _kinds(terms)
    )
    both = specimens + trainings - rest
    choices = [(both >= specimens) & (both >= trainings), specimens >= trainings]
    square = np.select(choices, [both, specimens], trainings)
    uncertainty = np.select(
        choices, [of_specimens + of_trainings + of_rest, of_specimens], of_trainings
    )
    degrees = np.where(uncertainty > 0, square**2 / np.where(uncertainty > 0, uncertainty, 1), 0)
    return square, degrees


def _kinds(terms: Terms) -> tuple[Sequence[Term], Sequence[Term], Sequence[Term]]:
    return terms.specimens, terms.trainings, terms.rest


def _sum(terms: Sequence[Term]) -> Floats:
    return np.asarray(sum((term.square for term in terms), 0.0))


def error_terms(grids: Sequence[GainGrid]) -> Terms:
    """The terms of the squared standard error of the mean over structures.

    Every structure hands in its deviations, scaled such that the sum of their squares is its mean
    square over (n·s) and over the square of the number of structures. Deviations of one specimen,
    one training or one cell are added over structures before they are squared. Degrees of freedom
    are those of the smallest structure that takes part in a term.
    """
    specimens, trainings, rest = [], [], []
    groups = _sharing_specimens([grid for grid in grids if grid.specimens_vary])
    for group in groups:
        specimens.append(_term(group, _specimen_shares, len(grids)))
        for members in _by_target([grid for grid in group if grid.trainings_vary]):
            rest.append(_term(members, _rest_shares, len(grids)))
    for members in _by_target([grid for grid in grids if grid.trainings_vary]):
        trainings.append(_term(members, _training_shares, len(grids)))
    return Terms(tuple(specimens), tuple(trainings), tuple(rest))


def _sharing_specimens(grids: Sequence[GainGrid]) -> list[list[GainGrid]]:
    """Structures in groups, such that no specimen is in two groups."""
    groups: list[list[GainGrid]] = []
    for grid in grids:
        sharing = [g for g in groups if any(set(grid.specimens) & set(o.specimens) for o in g)]
        groups = [g for g in groups if g not in sharing]
        groups.append([*(other for group in sharing for other in group), grid])
    return groups


def _by_target(grids: Sequence[GainGrid]) -> list[list[GainGrid]]:
    targets = dict.fromkeys(grid.target for grid in grids)
    return [[grid for grid in grids if grid.target == target] for target in targets]


Share = tuple[Hashable, Floats]  # whose it is, and a deviation


def _term(
    grids: Sequence[GainGrid],
    shares: Callable[[GainGrid], tuple[Iterable[Share], int]],
    structures: int,
) -> Term:
    sums: dict[Hashable, Floats] = {}
    least = np.inf
    for grid in grids:
        of_grid, degrees = shares(grid)
        least = min(least, degrees)
        for owner, deviation in of_grid:
            sums[owner] = sums.get(owner, 0.0) + deviation / structures
    return Term(np.asarray(sum(total**2 for total in sums.values())), int(least))


def _specimen_shares(grid: GainGrid) -> tuple[Iterable[Share], int]:
    """Deviations of the specimens' means: their squares sum to MS_a / (n·s), n - 1 degrees."""
    n = len(grid.specimens)
    rows = _deviations(grid.values)[0] / np.sqrt(n * (n - 1))
    return zip(grid.specimens, np.moveaxis(rows, -1, 0), strict=True), n - 1


def _training_shares(grid: GainGrid) -> tuple[Iterable[Share], int]:
    """Deviations of the trainings' means: their squares sum to MS_b / (n·s), s - 1 degrees."""
    s = len(grid.trainings)
    columns = _deviations(grid.values)[1] / np.sqrt(s * (s - 1))
    return zip(grid.trainings, np.moveaxis(columns, -1, 0), strict=True), s - 1


def _rest_shares(grid: GainGrid) -> tuple[Iterable[Share], int]:
    """What the means leave: squares sum to MS_e / (n·s), (n - 1)(s - 1) degrees of freedom."""
    n, s = len(grid.specimens), len(grid.trainings)
    degrees = (n - 1) * (s - 1)
    rest = _deviations(grid.values)[2] / np.sqrt(n * s * degrees)
    cells = product(grid.specimens, grid.trainings)
    by_cell = np.moveaxis(rest.reshape(*rest.shape[:-2], n * s), -1, 0)
    return zip(cells, by_cell, strict=True), degrees


def _deviations(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Of specimens' means (..., n) and trainings' means (..., s) from the mean, and the rest."""
    centred = values - values.mean((-2, -1), keepdims=True)
    rows, columns = centred.mean(-1), centred.mean(-2)
    return rows, columns, centred - rows[..., :, None] - columns[..., None, :]


def standard_deviations(terms: Terms, n: int, s: int) -> tuple[float, float, float]:
    """Of specimens, trainings and rest, from expected mean squares; a negative variance is 0.

    E MS_a = s·var_a + var_e, E MS_b = n·var_b + var_e, E MS_e = var_e. NaN where there is no term.
    """
    specimens, trainings, rest = (float(_sum(kind)) for kind in _kinds(terms))
    return (
        _root(n * (specimens - rest)) if terms.specimens else np.nan,
        _root(s * (trainings - rest)) if terms.trainings else np.nan,
        _root(n * s * rest) if terms.rest else np.nan,
    )


def _root(variance: float) -> float:
    return max(variance, 0.0) ** 0.5


def detectable_gain(standard_error: float, degrees: float) -> float:
    """The true gain at which the two-sided t test at 5 % finds a difference with 80 % power.

    The noncentrality of t with these degrees of freedom at which it exceeds its critical value in
    80 of 100 repetitions, times the standard error.
    """
    critical = stats.t.isf(LEVEL / 2, degrees)
    return float(standard_error * special.nctdtrinc(degrees, 1 - POWER, critical))
