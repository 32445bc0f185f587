"""Undefined and missing scores: each replaced or dropped before anything is averaged.

A value that a prediction left undefined, or that is missing, becomes the metric's worst value on
the case (for counts of errors, the empty mask's value), independent of other entrants; a value that
the truth leaves undefined drops its case for all methods. Both are counted and reported. Seeds and
folds are averaged within a case, cases within a specimen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..scoring.metrics import metrics_of, undefined_by_truth, worst_value
from ..scoring.score_tables import CASE, CASE_FACTS, ENTRANT, RUN, TrackScores, describe
from ..system.errors import InputError

MISSING, UNDEFINED = "missing", "nan_prediction"


@dataclass(frozen=True)
class Settled:
    """A track's values under one metric profile, every one of them a number.

    values: a row a run × case × metric: RUN, the columns of `TrackScores.cases`, metric, value,
    fault ("", "missing" or "nan_prediction": the value is the worst one), absent (True where the
    entrant has no prediction at all for the structure).
    dropped: structure, case, metric of what the truth leaves undefined for everybody.
    """

    profile: str
    values: pd.DataFrame
    dropped: pd.DataFrame

    @property
    def missing(self) -> pd.DataFrame:
        """A row a run × case without a prediction."""
        missing = self.values[self.values["fault"] == MISSING]
        return missing.drop_duplicates([*RUN, *CASE])

    @property
    def undefined(self) -> pd.DataFrame:
        """The values that a prediction left undefined."""
        return self.values[self.values["fault"] == UNDEFINED]


def settle(
    track: TrackScores,
    profile: str,
    *,
    metrics: Mapping[str, Sequence[str]] | None = None,
    ranked: Collection[str] = (),
) -> Settled:
    """Give every run × case × metric of a profile its value, as the module says.

    metrics: metric names by structure type; the profile's own where it is None.
    ranked: structures that every entrant must have segmented; one that lacks a structure is given
    its worst values.
    Raises InputError where a scored run × case lacks a metric's row, or where the facts of its
    truth are absent that an undefined value needs.
    """
    grid = _with_values(_grid(track, profile, metrics, ranked), track, profile)
    undefined = ~np.isfinite(grid["value"])
    fault = np.where(grid["missing"], MISSING, UNDEFINED)
    keys = pd.MultiIndex.from_frame(grid[[*CASE, "metric"]])
    worst = {key: _worst_value(track, profile, *key) for key in keys[undefined].unique()}
    dropped = sorted(key for key, value in worst.items() if np.isnan(value))
    grid.loc[undefined, "value"] = [worst[key] for key in keys[undefined]]
    values = grid.drop(columns=["missing", "scored"]).assign(fault=np.where(undefined, fault, ""))
    return Settled(
        profile,
        values[~keys.isin(dropped)].reset_index(drop=True) if dropped else values,
        pd.DataFrame(dropped, columns=[*CASE, "metric"], dtype=object),
    )


def _grid(
    track: TrackScores,
    profile: str,
    metrics: Mapping[str, Sequence[str]] | None,
    ranked: Collection[str],
) -> pd.DataFrame:
    """Every run × case × metric that should have a value."""
    absent = track.absent_structures(ranked)
    runs = pd.concat(
        [
            track.predictions[[*RUN, "structure"]].drop_duplicates().assign(absent=False),
            absent.assign(absent=True),
        ],
        ignore_index=True,
    )
    pairs = [
        (structure, metric)
        for structure, scored_as in track.cases[["structure", "scored_as"]]
        .drop_duplicates()
        .itertuples(index=False)
        for metric in (metrics[scored_as] if metrics else metrics_of(profile, scored_as))
    ]
    grid = (
        runs.merge(track.cases, on="structure")
        .merge(pd.DataFrame(pairs, columns=["structure", "metric"], dtype=object), on="structure")
        .merge(track.predictions.assign(scored=True), on=[*RUN, *CASE], how="left")
    )
    scored = grid["scored"].eq(True).fillna(False).astype(bool)
    return grid.assign(scored=scored, missing=~scored | grid["missing"].eq(True))


def _with_values(grid: pd.DataFrame, track: TrackScores, profile: str) -> pd.DataFrame:
    """Lay the profile's scores beside the grid; NaN where a prediction is missing."""
    rows = track.rows[track.rows["metric_profile"] == profile]
    keys = [*RUN, *CASE, "metric"]
    grid = grid.merge(rows[[*keys, "value"]], on=keys, how="left", indicator=True)
    unscored = grid[(grid.pop("_merge") == "left_only") & grid["scored"]]
    if len(unscored):
        raise InputError(
            f"scores: {describe(unscored.iloc[0])}: expected a row of profile {profile}, found "
            "none (score the method again)"
        )
    return grid


def _worst_value(track: TrackScores, profile: str, structure: str, case: str, metric: str) -> float:
    """What an undefined value counts as; NaN where the truth, not a prediction, is the cause."""
    facts = track.truth_facts.get((structure, case), {})
    try:
        if undefined_by_truth(metric, facts, profile):
            return np.nan
        return worst_value(metric, facts)
    except KeyError as fact:
        raise InputError(
            f"scores: {metric} of case {case!r} of {structure}: undefined, and expected the truth "
            f"fact {fact} beside it, found none (score the case again)"
        ) from None


def mean_over_folds(values: pd.DataFrame) -> pd.DataFrame:
    """One row a case × seed: the folds of a seed averaged; `imputed` counts worst values."""
    keys = [*ENTRANT, "budget", *CASE_FACTS, "unit", "known_specimens", "metric", "seed"]
    return (
        values.assign(imputed=values["fault"] != "")
        .groupby(keys, as_index=False)
        .agg(value=("value", "mean"), imputed=("imputed", "sum"))
    )


def case_values(values: pd.DataFrame) -> pd.DataFrame:
    """One row a case: folds averaged within seeds, then seeds; `imputed` counts worst values."""
    by_seed = mean_over_folds(values)
    keys = [name for name in by_seed.columns if name not in ("seed", "value", "imputed")]
    return by_seed.groupby(keys, as_index=False).agg(
        value=("value", "mean"), imputed=("imputed", "sum")
    )
