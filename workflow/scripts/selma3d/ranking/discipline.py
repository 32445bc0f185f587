"""A discipline: one metric on one structure, in which entrants compete case by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..scoring.metrics import METRICS
from ..scoring.score_tables import ENTRANT
from .aggregation import mean_over_folds
from .statistics import MINIMUM_SPECIMENS

Floats = NDArray[np.float64]
Entrant = tuple[str, ...]  # (method, init), or with a budget (method, init, budget)


@dataclass(frozen=True, eq=False)
class Discipline:
    """Values of all entrants on all cases of a structure, in one metric.

    values: (cases, entrants, seeds), each entrant's seeds in ascending order from the left and NaN
    after its last one; seeds: (entrants,) how many each has; units: (cases,) indices into
    `unit_names`, which lists the structure's units in every metric alike (see
    `TrackScores.cases`).
    """

    structure: str
    metric: str
    scored_as: str
    seen: bool
    known_specimens: bool
    entrants: tuple[Entrant, ...]
    cases: tuple[str, ...]
    units: NDArray[np.int64]
    unit_names: tuple[str, ...]
    values: Floats
    seeds: NDArray[np.int64]

    @property
    def higher_is_better(self) -> bool:
        return METRICS[self.metric].direction == "higher"

    @cached_property
    def specimens(self) -> int:
        """Number of known specimens that have a case in this discipline."""
        return len(np.unique(self.units)) if self.known_specimens else 0

    @property
    def enough_specimens(self) -> bool:
        return self.specimens >= MINIMUM_SPECIMENS

    @property
    def equal_seeds(self) -> Floats:
        """Weights (entrants, seeds) that average over an entrant's seeds."""
        positions = np.arange(self.values.shape[2])
        return (positions < self.seeds[:, None]) / self.seeds[:, None]

    def case_values(self, seed_weights: Floats | None = None) -> Floats:
        """(cases, entrants): values averaged over seeds, weighted (entrants, seeds)."""
        weights = self.equal_seeds if seed_weights is None else seed_weights
        return np.einsum("ces,es->ce", np.nan_to_num(self.values), weights)

    def unit_values(self) -> tuple[list[str], Floats]:
        """Names of the units that have cases, and their means: (units, entrants)."""
        present = np.unique(self.units)
        means = means_of_units(self.case_values(), self.units, len(self.unit_names))
        return [self.unit_names[unit] for unit in present], means[present]


def means_of_units(case_values: Floats, units: NDArray[np.int64], count: int) -> Floats:
    """(units, entrants): means over each unit's cases; NaN for a unit without one."""
    membership = np.zeros((count, len(units)))
    membership[units, np.arange(len(units))] = 1
    sizes = membership.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return membership @ case_values / sizes


def disciplines_of(values: pd.DataFrame, by: Sequence[str] = tuple(ENTRANT)) -> list[Discipline]:
    """Arrange settled values into disciplines, sorted by structure and metric (table order).

    by: the columns that tell entrants apart.
    """
    by_seed = mean_over_folds(values)
    disciplines = []
    for _, structure_rows in by_seed.groupby("structure", sort=True):
        unit_names = sorted(structure_rows["unit"].unique())
        for metric in METRICS:
            rows = structure_rows[structure_rows["metric"] == metric]
            if len(rows):
                disciplines.append(_discipline(rows, list(by), unit_names))
    return disciplines


def _discipline(rows: pd.DataFrame, by: list[str], unit_names: list[str]) -> Discipline:
    first = rows.iloc[0]
    cases = rows[["case", "unit"]].drop_duplicates().sort_values("case")
    entrant = pd.MultiIndex.from_frame(rows[by])
    entrants = sorted(set(entrant))
    entrant_index = pd.Index(entrants, tupleize_cols=False).get_indexer(list(entrant))
    position = rows["seed"].groupby(entrant_index).rank(method="dense").to_numpy().astype(int) - 1
    seeds = np.zeros(len(entrants), int)
    np.maximum.at(seeds, entrant_index, position + 1)
    values = np.full((len(cases), len(entrants), seeds.max()), np.nan)
    case_index = pd.Index(cases["case"]).get_indexer(rows["case"])
    values[case_index, entrant_index, position] = rows["value"]
    return Discipline(
        structure=first["structure"],
        metric=first["metric"],
        scored_as=first["scored_as"],
        seen=bool(first["seen"]),
        known_specimens=bool(first["known_specimens"]),
        entrants=tuple(entrants),
        cases=tuple(cases["case"]),
        units=pd.Index(unit_names).get_indexer(cases["unit"]),
        unit_names=tuple(unit_names),
        values=values,
        seeds=seeds,
    )
