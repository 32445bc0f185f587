"""Learning curves: scores by label budget, and scores on seen, unseen and other structures."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from ..challenge.structure import SEEN, relation
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


def gap_table(by_metric: pd.DataFrame, other_acquisitions: Collection[str] = ()) -> pd.DataFrame:
    """Means over seen structures of a type and over others, by side, and the first less the second.

    side: unseen structures, or those of another acquisition. Each structure counts once. Only
    metrics that an entrant has on both sides are listed.
    """
    sides = [
        relation(name, seen, other_acquisitions)
        for name, seen in by_metric[["structure", "seen"]].itertuples(index=False)
    ]
    keys = [*ENTRANT, "scored_as", "metric"]
    means = by_metric.assign(side=sides).groupby([*keys, "side"])["mean"].mean().reset_index()
    seen = means[means["side"] == SEEN].rename(columns={"mean": "seen_mean"}).drop(columns="side")
    others = means[means["side"] != SEEN].rename(columns={"mean": "unseen_mean"})
    gaps = others.merge(seen, on=keys).dropna(subset=["seen_mean", "unseen_mean"])
    gaps["gap"] = gaps["seen_mean"] - gaps["unseen_mean"]
    return table("gap", gaps.sort_values([*keys, "side"]).to_dict("records"))
