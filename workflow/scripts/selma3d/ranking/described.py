"""Metrics and quantities that are shown and not ranked: means, pooled scores, agreement.

Nothing here enters a rank, a place or a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..scoring.metrics import DESCRIBE, PREDICTED, QUANTITIES, TRUTH, metrics_of
from ..scoring.score_tables import CASE, ENTRANT, RUN, WHOLE_BUDGET, TrackScores
from .aggregation import Settled, case_values, settle
from .tables import table

LIMITS = 1.96  # standard deviations: 95 % of differences (Bland and Altman 1986)
POOLED = {"dice": "voxels", "centroid_f1": "objects"}  # 2·TP over what both masks have of it


def settle_described(track: TrackScores) -> Settled:
    """The metrics of "describe" that the scores hold; older score tables lack some."""
    held = set(track.rows.loc[track.rows["metric_profile"] == DESCRIBE, "metric"])
    metrics = {
        scored_as: [name for name in metrics_of(DESCRIBE, scored_as) if name in held]
        for scored_as in track.cases["scored_as"].unique()
    }
    return settle(track, DESCRIBE, metrics=metrics)


def described_table(track: TrackScores, settled: Settled, described: Settled) -> pd.DataFrame:
    """Every entrant on every structure: mean and sample sd over cases, and the pooled score.

    settled: of the edition's profile, whose Dice stands first. described: see `settle_described`.
    pooled: of all cases as if they were one image, so that a case weighs by its objects or voxels;
    mean over runs; NaN for metrics without a pooled form, and where the scores lack the sizes.
    """
    dice = settled.values[settled.values["metric"] == "dice"]
    values = pd.concat([dice, described.values], ignore_index=True)
    values = values[values["budget"] == WHOLE_BUDGET]
    if values.empty:
        return table("described", [])
    pooled = _pooled(track, values)
    keys = [*ENTRANT, "structure", "scored_as", "metric"]
    rows = []
    for key, group in case_values(values).groupby(keys, sort=True):
        named = dict(zip(keys, key, strict=True))
        rows.append(
            {
                **named,
                "mean": group["value"].mean(),
                "sd": group["value"].std(ddof=1) if len(group) > 1 else np.nan,
                "pooled": pooled.get(tuple(named[k] for k in (*ENTRANT, "structure", "metric"))),
                "cases": len(group),
                "imputed": int((group["imputed"] > 0).sum()),
            }
        )
    return table("described", rows)


def _pooled(track: TrackScores, values: pd.DataFrame) -> dict[tuple[str, ...], float]:
    """2·ΣTP / Σ(truth + prediction) of each run, then the mean over runs."""
    pooled = {}
    for metric, quantity in POOLED.items():
        sizes = _sizes(track, quantity)
        own = values[values["metric"] == metric].merge(sizes, on=[*RUN, *CASE])
        if own.empty:
            continue
        own = own.assign(both=own["truth"] + own["predicted"].fillna(0))
        own = own.assign(right=(own["value"] * own["both"]).where(own["fault"] == "", 0.0))
        sums = own.groupby([*RUN, "structure"])[["right", "both"]].sum()
        scores = (sums["right"] / sums["both"]).replace([np.inf], np.nan).reset_index(name="pooled")
        means = scores.groupby([*ENTRANT, "structure"])["pooled"].mean()
        pooled |= {(*key, metric): value for key, value in means.items()}
    return pooled


def _sizes(track: TrackScores, quantity: str) -> pd.DataFrame:
    """RUN, CASE, truth, predicted: a quantity of both masks, NaN where there is no prediction."""
    rows = track.rows[track.rows["metric_profile"] == DESCRIBE]
    keys = [*RUN, *CASE]
    columns = [
        rows.loc[rows["metric"] == of + quantity, [*keys, "value"]].rename(columns={"value": name})
        for of, name in ((TRUTH, "truth"), (PREDICTED, "predicted"))
    ]
    return columns[0].merge(columns[1], on=keys)


def agreement_table(track: TrackScores) -> pd.DataFrame:
    """Agreement of quantities with the truth's, over cases, runs averaged.

    bias: mean of predicted − truth; low, high: limits of agreement, bias ± 1.96 sd. relative: sum
    of predicted over sum of truth, minus 1. concordance: Lin's coefficient (1989), 1 where they are
    equal. missing: cases without a value of the prediction, which are left out.
    """
    cases = quantities_by_case(track)
    rows = []
    for key, group in cases.groupby([*ENTRANT, "structure", "quantity"], sort=False):
        both = group.dropna(subset=["truth", "predicted"])
        truth, predicted = both["truth"].to_numpy(), both["predicted"].to_numpy()
        rows.append(
            {
                **dict(zip((*ENTRANT, "structure", "quantity"), key, strict=True)),
                **agreement(truth, predicted),
                "cases": len(both),
                "missing": len(group) - len(both),
            }
        )
    return table("agreement", rows)


def quantities_by_case(track: TrackScores) -> pd.DataFrame:
    """ENTRANT, structure, specimen, case, quantity, truth, predicted with every training patch."""
    frames = []
    for quantity in QUANTITIES:
        sizes = _sizes(track, quantity)
        sizes = sizes[sizes["budget"] == WHOLE_BUDGET]
        means = sizes.groupby([*ENTRANT, *CASE], as_index=False)[["truth", "predicted"]].mean()
        frames.append(means.assign(quantity=quantity))
    cases = track.cases[[*CASE, "specimen"]]
    return pd.concat(frames, ignore_index=True).merge(cases, on=CASE)


def agreement(truth: np.ndarray, predicted: np.ndarray) -> Mapping[str, float]:
    """Means, bias, limits of agreement, relative error and concordance of paired numbers."""
    if not truth.size:
        return {}
    difference = predicted - truth
    spread = LIMITS * difference.std(ddof=1) if truth.size > 1 else np.nan
    apart = (predicted.mean() - truth.mean()) ** 2
    scatter = truth.var() + predicted.var() + apart
    covariance = float(np.mean((truth - truth.mean()) * (predicted - predicted.mean())))
    return {
        "truth": truth.mean(),
        "predicted": predicted.mean(),
        "bias": difference.mean(),
        "low": difference.mean() - spread,
        "high": difference.mean() + spread,
        "relative": predicted.sum() / truth.sum() - 1 if truth.sum() else np.nan,
        "concordance": 2 * covariance / scatter if scatter and truth.size > 1 else np.nan,
    }
