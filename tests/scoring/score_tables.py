"""Small tables of scores for tests of aggregation and ranking, in the columns of a scores TSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from selma3d.challenge.checking import check
from selma3d.ranking.settings import RankingSettings
from selma3d.scoring.metrics import TRUTH_FACTS
from selma3d.scoring.score_tables import SCORE_COLUMNS

FACTS = dict.fromkeys(TRUTH_FACTS, 10.0)


def scores(
    method: str,
    values: Mapping[str, Sequence[float]],
    *,
    init: str = "scratch",
    structure: str = "cfos",
    scored_as: str = "spot-like",
    seen: bool = True,
    specimens: Sequence[str] | None = None,
    budget: str = "all",
    fold: int = 0,
    seed: int = 0,
    profile: str = "selma2024",
    facts: Sequence[Mapping[str, float]] | None = None,
    missing: Sequence[bool] | None = None,
    track: str = "per-type",
    phase: str = "final",
) -> pd.DataFrame:
    """One run's rows: `values` by metric, a value a case; each case an animal of its own.

    facts: truth facts a case, laid over FACTS; missing: cases without a prediction.
    """
    cases = len(next(iter(values.values())))
    specimens = specimens or [f"animal-{case}" for case in range(cases)]
    rows = []
    for case in range(cases):
        described = {
            **FACTS,
            **(facts[case] if facts else {}),
            "missing": float(bool(missing and missing[case])),
        }
        named = [(profile, metric, of_cases[case]) for metric, of_cases in values.items()]
        named += [("describe", metric, value) for metric, value in described.items()]
        rows += [
            (
                *("edition", phase, track, structure, scored_as, seen),
                *(specimens[case], f"{case:03}", method, init, budget, fold, seed),
                *profile_metric_value,
            )
            for profile_metric_value in named
        ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def spots(method: str, dice: Sequence[float], **details: object) -> pd.DataFrame:
    """A run on spot-like structures whose only interest is its Dice: no Betti error anywhere."""
    return scores(method, {"dice": dice, "betti0_error": np.zeros(len(dice))}, **details)


def settings(**changes: object) -> RankingSettings:
    """Settings of a ranking, few bootstraps."""
    few = {"metric_profile": "selma2024", "bootstrap": 100, **changes}
    return check(RankingSettings, few, "ranking")
