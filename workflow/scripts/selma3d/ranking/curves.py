"""Learning curves: scores by label budget, and scores on seen and unseen structures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..scoring.score_tables import ENTRANT, WHOLE_BUDGET
from .aggregation import Settled
from .bootstrap import Bootstrap
from .discipline import disciplines_of
from .leaderboard import mean_interval
from .tables import table


def curves_table(
    settled: Settled, training_patches: Mapping[str, int], resampling: Bootstrap
) -> pd.DataFrame:
    """Means over cases by label budget, with bootstrap intervals over specimens and seeds.

    patches is the budget as a number; that of `all` comes from `training_patches`, by structure,
    and is NaN where it is unknown.
    """
    rows = []
    trained = settled.values[~settled.values["absent"]]
    for d in disciplines_of(trained, by=[*ENTRANT, "budget"]):
        means = d.case_values().mean(axis=0)
        low, high = mean_interval(d, resampling)
        for index, (method, init, budget) in enumerate(d.entrants):
            whole = training_patches.get(d.structure, np.nan)
            rows.append(
                {
                    "method": method,
                    "init": init,
                    "structure": d.structure,
                    "metric": d.metric,
                    "budget": budget,
                    "patches": whole if budget == WHOLE_BUDGET else float(budget),
                    "mean": means[index],
                    "low": low[index],
                    "high": high[index],
                    "specimens": d.specimens,
                }
            )
    curves = table("curves", rows)
    keys = [*ENTRANT, "structure", "metric", "patches"]
    return curves.sort_values(keys, ignore_index=True, kind="stable")


def gap_table(by_metric: pd.DataFrame) -> pd.DataFrame:
    """Means over seen and over unseen structures of one type, and seen - unseen.

    Each structure counts once. Only metrics that an entrant has on both sides are listed.
    """
    by_structure = by_metric.assign(side=np.where(by_metric["seen"], "seen_mean", "unseen_mean"))
    sides = by_structure.pivot_table("mean", [*ENTRANT, "scored_as", "metric"], "side")
    sides = sides.reindex(columns=["seen_mean", "unseen_mean"]).dropna().reset_index()
    sides["gap"] = sides["seen_mean"] - sides["unseen_mean"]
    return table("gap", sides.to_dict("records"))
