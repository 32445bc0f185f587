"""Pairs of runs: a pretrained network and its partner, case by case, as gains of specimens.

A pair is the same method, case, label budget, fold and seed with two inits: both learnt from the
same training patches. Rows of other entrants are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..scoring.metrics import METRICS
from .crossed_effects import Floats, GainGrid

SeedFold = tuple[int, int]
Cells = Mapping[tuple[str, SeedFold], tuple[float, bool]]  # case and run: value, imputed


@dataclass(frozen=True)
class ArmComparison:
    """A pretrained network (`init`) minus its partner (`against`), averaged over structures."""

    method: str
    init: str
    against: str
    metric: str
    budget: str
    structures: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Paired:
    """What both arms of a comparison reached on one structure.

    pretrained, against: (cases, runs), values of `cases` in `runs` (seed, fold). units: the
    specimen of each case, or its block. imputed: pairs with a worst value for a missing or
    undefined one. unpaired: runs that only one arm has, which are left out.
    """

    comparison: ArmComparison
    structure: str
    cases: tuple[str, ...]
    runs: tuple[SeedFold, ...]
    units: tuple[str, ...]
    known: bool
    pretrained: Floats
    against: Floats
    imputed: int
    unpaired: int

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of both arms, in ascending order."""
        return tuple(dict.fromkeys(seed for seed, _ in self.runs))

    def by_seed(self, values: Floats) -> Floats:
        """(cases, seeds): the folds of a seed averaged."""
        of_run = [seed for seed, _ in self.runs]
        return np.stack([values[:, np.equal(of_run, s)].mean(1) for s in self.seeds], axis=1)

    def by_unit(self, values: Floats) -> Floats:
        """(units, seeds): folds averaged within a seed, then cases within a specimen."""
        names, of_seed = dict.fromkeys(self.units), self.by_seed(values)
        return np.stack([of_seed[np.equal(self.units, name)].mean(0) for name in names])

    def grid(self, target: str) -> GainGrid:
        """The gains, a row a specimen and a column a seed; positive is better for every metric."""
        return GainGrid(
            structure=self.structure,
            target=target,
            specimens=tuple(dict.fromkeys(self.units)),
            trainings=self.seeds,
            values=sign_of(self.comparison.metric) * self.by_unit(self.pretrained - self.against),
            known=self.known,
        )


def sign_of(metric: str) -> int:
    """1 where more of a metric is better, -1 where less is."""
    return 1 if METRICS[metric].direction == "higher" else -1


def paired(scores: pd.DataFrame, comparison: ArmComparison, structure: str) -> Paired | None:
    """Both arms of a comparison on one structure; None without a pair of runs.

    scores: settled, so that every run has one row a case. Where specimens are unknown, blocks of
    neighbouring case numbers, which may be of one animal, stand in their place.
    """
    rows = scores[
        (scores["structure"] == structure)
        & (scores["method"] == comparison.method)
        & (scores["metric"] == comparison.metric)
        & (scores["budget"] == comparison.budget)
    ]
    arms = [_cells(rows, init) for init in (comparison.init, comparison.against)]
    runs = [{run for _, run in cells} for cells in arms]
    both = sorted(runs[0] & runs[1])
    if not both:
        return None
    cases = sorted({case for cells in arms for case, _ in cells})
    nothing = (np.nan, False)
    found = np.array(
        [[[cells.get((c, r), nothing) for r in both] for c in cases] for cells in arms]
    )
    pretrained, against = found[..., 0]
    units, known = _units(rows, cases)
    return Paired(
        comparison=comparison,
        structure=structure,
        cases=tuple(cases),
        runs=tuple(both),
        units=tuple(units),
        known=known,
        pretrained=pretrained,
        against=against,
        imputed=int(found[..., 1].any(axis=0).sum()),
        unpaired=len(runs[0] ^ runs[1]),
    )


def _cells(rows: pd.DataFrame, init: str) -> Cells:
    rows = rows[rows["init"] == init]
    runs = zip(rows["seed"], rows["fold"], strict=True)
    values = zip(rows["value"], rows["fault"] != "", strict=True)
    return dict(zip(zip(rows["case"], runs, strict=True), values, strict=True))


def _units(rows: pd.DataFrame, cases: list[str]) -> tuple[list[str], bool]:
    """The specimen of each case, or its block; and whether specimens are known."""
    specimen_of = dict(zip(rows["case"], rows["specimen"], strict=True))
    specimens = [specimen_of[case] for case in cases]
    if all(specimens):
        return specimens, True
    blocks = index_blocks(cases)
    return [blocks[case] for case in cases], False


def index_blocks(cases: Iterable[str]) -> dict[str, str]:
    """The block of each case: cases whose numbers follow one another, such as "008 to 011"."""
    blocks: list[list[str]] = []
    last = None
    for number, case in sorted((_number(case), case) for case in cases):
        if last is None or number != last + 1:
            blocks.append([])
        blocks[-1].append(case)
        last = number
    return {case: f"{block[0]} to {block[-1]}" for block in blocks for case in block}


def _number(case: str) -> int:
    digits = re.findall(r"\d+", case)
    return int(digits[-1]) if digits else -1
