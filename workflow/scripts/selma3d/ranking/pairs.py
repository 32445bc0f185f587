"""Pairs of runs: a pretrained network and its partner, case by case, as gains of specimens.

A pair is the same method, case, label budget, fold and seed with two inits: both learnt from the
same training patches. Rows of other entrants are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..scoring.metrics import METRICS
from ..system.errors import InputError
from .crossed import GainGrid

SeedFold = tuple[int, int]
Values = Mapping[tuple[str, SeedFold], float]  # of a case in a run


@dataclass(frozen=True)
class Comparison:
    """A pretrained network (`init`) less its partner (`against`), averaged over structures."""

    method: str
    init: str
    against: str
    metric: str
    budget: str
    structures: tuple[str, ...]


@dataclass(frozen=True)
class Paired:
    """The gains on one structure; unpaired: runs (folds × seeds) that only one side has."""

    grid: GainGrid
    unpaired: int


def paired_gains(
    scores: pd.DataFrame, comparison: Comparison, structure: str, target: str
) -> Paired | None:
    """A structure's gains, a row a specimen and a column a seed; None without a pair of runs.

    Positive is better, whichever way the metric points. Folds are averaged within a seed, then
    cases within a specimen. Where specimens are unknown, blocks of neighbouring case numbers, which
    may be of one animal, stand in their place.
    Raises InputError where a pair lacks a case, or a row stands there twice.
    """
    rows = scores[
        (scores["structure"] == structure)
        & (scores["method"] == comparison.method)
        & (scores["metric"] == comparison.metric)
        & (scores["budget"] == comparison.budget)
    ]
    pretrained = _values(rows, comparison.init)
    scratch = _values(rows, comparison.against)
    runs = [{run for _, run in values} for values in (pretrained, scratch)]
    both = sorted(runs[0] & runs[1])
    if not both:
        return None
    cases = sorted({case for case, _ in (*pretrained, *scratch)})
    sign = 1 if METRICS[comparison.metric].direction == "higher" else -1
    nothing = np.nan
    gains = sign * np.array(
        [
            [pretrained.get((c, run), nothing) - scratch.get((c, run), nothing) for run in both]
            for c in cases
        ]
    )
    _check_complete(gains, cases, both, comparison, structure)
    seeds = [seed for seed, _ in both]
    by_seed = np.stack([gains[:, np.equal(seeds, s)].mean(1) for s in dict.fromkeys(seeds)], 1)
    units, known = _units(rows, cases)
    by_unit = np.stack([by_seed[np.equal(units, u)].mean(0) for u in dict.fromkeys(units)])
    grid = GainGrid(
        structure=structure,
        target=target,
        specimens=tuple(dict.fromkeys(units)),
        trainings=tuple(dict.fromkeys(seeds)),
        values=by_unit,
        known=known,
    )
    return Paired(grid, len(runs[0] ^ runs[1]))


def _values(rows: pd.DataFrame, init: str) -> Values:
    rows = rows[rows["init"] == init]
    runs = zip(rows["seed"], rows["fold"], strict=True)
    values = dict(zip(zip(rows["case"], runs, strict=True), rows["value"], strict=True))
    if len(values) < len(rows):
        twice = rows[rows.duplicated(["case", "seed", "fold"])].iloc[0]
        where = ", ".join(
            f"{name} {twice[name]}"
            for name in ("structure", "case", "method", "init", "budget", "fold", "seed", "metric")
        )
        raise InputError(f"scores: {where}: expected one row, found several")
    return values


def _check_complete(
    gains: np.ndarray,
    cases: list[str],
    runs: list[SeedFold],
    comparison: Comparison,
    structure: str,
) -> None:
    absent = np.argwhere(~np.isfinite(gains))
    if len(absent):
        case, (seed, fold) = cases[absent[0][0]], runs[absent[0][1]]
        raise InputError(
            f"scores: {comparison.metric} of {comparison.method} on {structure}, case {case!r}, "
            f"budget {comparison.budget}, fold {fold}, seed {seed}: expected a number of "
            f"{comparison.init} and of {comparison.against}, found none"
        )


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
