"""The choice of the cases that are shown, by rule, not by eye; their truth and their scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...images import PatchFile
from ...system.errors import InputError
from .. import labels
from ..ranking_rows import metrics_of, ranked_cases


@dataclass(frozen=True)
class Pick:
    """A case, why it is shown, and the entrants' scores on it; whether its labels are doubtful."""

    case: str
    why: str
    mean: float
    scores: Mapping[tuple[str, str], float]
    doubtful: bool = False

    @property
    def remark(self) -> str:
        """What has to stand beside the case's score."""
        return " (labels doubtful)" if self.doubtful else ""


def scores_of(
    structure: str, case_scores: pd.DataFrame, entrants: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """The entrants' scores on every case of the structure, in its first metric."""
    cases = ranked_cases({"cases": case_scores})
    shown = pd.MultiIndex.from_frame(cases[["method", "init"]]).isin(entrants)
    cases = cases[shown & (cases["structure"] == structure)].dropna(subset="value")
    if cases.empty:
        return cases
    return cases[cases["metric"] == metrics_of(cases)[structure][0]]


def truth_of(cases: PatchFile, case: str) -> np.ndarray:
    """The mask (Z,Y,X) of a case; InputError where it has none."""
    truth = cases.mask(case)
    if truth is None:
        raise InputError(f"{cases.path}: {case}: expected a mask to compare with, found none")
    return truth


def scale_of(cases: PatchFile, case: str) -> tuple[float, ...]:
    """Voxel size (z,y,x) of a case, in units of its smallest side; all 1 where it is unknown."""
    size = cases.voxel_size_um(case) or (1.0, 1.0, 1.0)
    return tuple(side / min(size) for side in size)


def choose(scores: pd.DataFrame) -> list[Pick]:
    """The best, the median (the better of two) and the worst case by the entrants' mean score.

    scores: rows of one structure and metric. Ties go to the case that is first by name; a case
    with two reasons is shown once. Without a row none is chosen.
    """
    if scores.empty:
        return []
    metric = scores["metric"].iloc[0]
    wide = scores.pivot_table(index="case", columns=["method", "init"], values="value")
    means = wide.mean(axis=1).sort_index()
    order = means.sort_values(ascending=not labels.is_higher_better(metric), kind="stable").index
    picked = {"best": order[0], "median": order[(len(order) - 1) // 2], "worst": order[-1]}
    doubtful = set(scores.loc[scores["doubtful"].astype(bool), "case"])
    reasons: dict[str, list[str]] = {}
    for why, case in picked.items():
        reasons.setdefault(case, []).append(why)
    return [
        Pick(case, " and ".join(why), means[case], wide.loc[case].to_dict(), case in doubtful)
        for case, why in reasons.items()
    ]
