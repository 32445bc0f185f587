"""Stability of the ranking: against other specimens, ranking rules and metric definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from ..scoring.metrics import metrics_of
from ..scoring.score_tables import CASE, RUN, WHOLE_BUDGET, TrackScores
from .aggregation import Settled, settle
from .discipline import Discipline, disciplines_of
from .leaderboard import Ranks, rank
from .ranking_rules import RULES
from .statistics import kendall_tau
from .tables import table

ROBUST = "robust"
VISIBLE_CHANGE = 1e-4  # smaller differences, as from clDice's epsilon, change no printed figure


def rules_table(
    disciplines: Sequence[Discipline], groups: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Every entrant's place under every ranking rule."""
    return table(
        "rules",
        [
            {"rule": rule, "method": method, "init": init, "place": place}
            for rule in RULES
            for ranks in [rank(disciplines, groups, rule)]
            for (method, init), place in zip(ranks.entrants, ranks.places[0], strict=True)
        ],
    )


def stability_table(
    ranks: Ranks,
    replicates: Ranks,
    rules: pd.DataFrame,
    profile_places: pd.DataFrame,
    profile: str,
    *,
    intervals: bool,
) -> pd.DataFrame:
    """Kendall's tau between rankings; replicates counts those in which tau is defined.

    Without `intervals` (too few specimens) the bootstrap's tau has a mean but no interval.
    """
    rows = [_bootstrap_tau(ranks, replicates, intervals=intervals)]
    places = rules.pivot(index=["method", "init"], columns="rule", values="place")
    for a, b in combinations(RULES, 2):
        tau = kendall_tau(places[a], places[b]) if len(places) else np.nan
        rows.append(_single_tau(f"{a} vs {b}", tau))
    if len(profile_places):
        tau = kendall_tau(profile_places["place_profile"], profile_places["place_robust"])
        rows.append(_single_tau(f"profile {profile} vs {ROBUST}", tau))
    return table("stability", rows)


def _single_tau(comparison: str, tau: float) -> dict[str, object]:
    return {
        "comparison": comparison,
        "tau_mean": tau,
        "tau_low": np.nan,
        "tau_high": np.nan,
        "replicates": int(not np.isnan(tau)),
    }


def _bootstrap_tau(ranks: Ranks, replicates: Ranks, *, intervals: bool) -> dict[str, object]:
    """Tau between the ranking and each replicate's."""
    defined = replicates.places[~np.isnan(replicates.places).any(axis=1)]
    distinct, which = np.unique(defined, axis=0, return_inverse=True)
    taus = np.array([kendall_tau(ranks.places[0], places) for places in distinct])[which]
    taus = taus[~np.isnan(taus)]
    row = _single_tau("bootstrap", taus.mean() if taus.size else np.nan)
    if taus.size and intervals:
        row["tau_low"], row["tau_high"] = np.percentile(taus, [2.5, 97.5])
    return row | {"replicates": taus.size}


def settle_robust(track: TrackScores, settled: Settled, ranked: set[str]) -> Settled | None:
    """The same metrics as in `settled`, by their robust definitions where there is one.

    None where the profile is itself the robust one, or the scores hold no robust values.
    """
    if settled.profile == ROBUST or not (track.rows["metric_profile"] == ROBUST).any():
        return None
    shared = {
        scored_as: [
            metric
            for metric in metrics_of(settled.profile, scored_as)
            if metric in metrics_of(ROBUST, scored_as)
        ]
        for scored_as in track.cases["scored_as"].unique()
    }
    robust = settle(track, ROBUST, metrics=shared, ranked=ranked)
    names = pd.DataFrame(
        [(scored_as, metric) for scored_as, metrics in shared.items() for metric in metrics],
        columns=["scored_as", "metric"],
        dtype=object,
    )
    kept = pd.MultiIndex.from_frame(settled.values[["scored_as", "metric"]])
    others = settled.values[~kept.isin(pd.MultiIndex.from_frame(names))]
    return Settled(ROBUST, pd.concat([robust.values, others], ignore_index=True), robust.dropped)


def profile_places_table(
    ranks: Ranks, robust: Settled | None, groups: Mapping[str, Sequence[str]], rule: str
) -> pd.DataFrame:
    """Every entrant's place under the profile in force and under the robust definitions."""
    if robust is None:
        return table("profile_places", [])
    whole = robust.values[robust.values["budget"] == WHOLE_BUDGET]
    places = dict(
        zip(
            ranks.entrants,
            rank(disciplines_of(whole), groups, rule).places[0],
            strict=True,
        )
    )
    return table(
        "profile_places",
        [
            {
                "method": entrant[0],
                "init": entrant[1],
                "place_profile": place,
                "place_robust": places[entrant],
            }
            for entrant, place in zip(ranks.entrants, ranks.places[0], strict=True)
        ],
    )


def profiles_table(track: TrackScores, settled: Settled, robust: Settled | None) -> pd.DataFrame:
    """How many raw values differ between the profile in force and the robust definitions.

    cases, changed: cases, and those of which at least one leaderboard prediction's value differs;
    predictions, changed_predictions: the same counted by prediction (run × case). Undefined in
    one profile alone is a change; differences below 1e-4 are none.
    """
    if robust is None:
        return table("profiles", [])
    whole = track.rows[track.rows["budget"] == WHOLE_BUDGET]
    keys = [*RUN, *CASE, "metric"]
    both = (
        whole[whole["metric_profile"] == settled.profile]
        .merge(whole.loc[whole["metric_profile"] == ROBUST, [*keys, "value"]], on=keys)
        .merge(track.predictions, on=[*RUN, *CASE])
    )
    both = both[~both["missing"]]
    gap = (both["value_x"] - both["value_y"]).abs()
    one_undefined = both["value_x"].isna() != both["value_y"].isna()
    both = both.assign(changed=(gap > VISIBLE_CHANGE) | one_undefined)
    rows = []
    for (structure, metric), values in both.groupby(["structure", "metric"]):
        by_case = values.groupby("case")["changed"].any()
        rows.append(
            {
                "structure": structure,
                "metric": metric,
                "cases": len(by_case),
                "changed": int(by_case.sum()),
                "predictions": len(values),
                "changed_predictions": int(values["changed"].sum()),
            }
        )
    return table("profiles", rows)
