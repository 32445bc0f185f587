"""Places of entrants, overall and by metric, with their bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..scoring.score_tables import ENTRANT
from .aggregation import MISSING, UNDEFINED, Settled
from .bootstrap import Bootstrap
from .discipline import Discipline, Entrant, Floats
from .ranking_rules import RULES, competition_ranks, weighted_means
from .statistics import percentile_interval, too_few
from .tables import leaderboard_columns, table


@dataclass(frozen=True, eq=False)
class Ranks:
    """Mean ranks over groups, (replicates, entrants), those within groups, and the places."""

    entrants: tuple[Entrant, ...]
    groups: dict[str, Floats]
    mean_rank: Floats
    places: Floats


def rank(
    disciplines: Sequence[Discipline],
    groups: Mapping[str, Sequence[str]],
    rule: str,
    resampling: Bootstrap | None = None,
    types: Mapping[str, Sequence[str]] | None = None,
) -> Ranks:
    """Rank in every discipline, average within groups, then over groups; lowest mean rank wins.

    types: groups by type; mean ranks are then averaged within a type first. Without `resampling`
    there is one replicate, the data themselves. A group without scores is NaN and left out of the
    mean; the caller says so.
    Source: the organisers' ranking of 2026 (rank per metric, mean within group, mean over groups).
    """
    within: dict[str, list[Floats]] = {group: [] for group in groups}
    group_of = {structure: group for group, members in groups.items() for structure in members}
    ranked = [d for d in disciplines if d.structure in group_of]
    for discipline in ranked:
        within[group_of[discipline.structure]].append(
            discipline_ranks(discipline, rule, resampling)
        )
    entrants = ranked[0].entrants if ranked else ()
    undefined = np.full((resampling.replicates if resampling else 1, len(entrants)), np.nan)
    group_ranks = {
        group: _mean_of_defined(ranks) if ranks else undefined for group, ranks in within.items()
    }
    last = list(group_ranks.values())
    if types is not None:
        members = [[group_ranks[g] for g in names if g in group_ranks] for names in types.values()]
        last = [_mean_of_defined(ranks) for ranks in members if ranks]
    mean_rank = _mean_of_defined(last) if last else undefined
    places = competition_ranks(mean_rank, higher_is_better=False)
    return Ranks(entrants, group_ranks, mean_rank, places)


def discipline_ranks(
    discipline: Discipline, rule: str, resampling: Bootstrap | None = None
) -> Floats:
    """(replicates, entrants): ranks in one discipline; one replicate without `resampling`."""

    def statistic(values: Floats, counts: Floats) -> Floats:
        return RULES[rule](discipline, values, counts)

    if resampling:
        return resampling.replicate(discipline, statistic)
    return statistic(discipline.case_values(), np.ones((1, len(discipline.unit_names))))


def mean_interval(discipline: Discipline, resampling: Bootstrap) -> tuple[Floats, Floats]:
    """Bootstrap interval of each entrant's mean over cases; NaN with too few specimens."""
    if not discipline.enough_specimens:
        nothing = np.full(len(discipline.entrants), np.nan)
        return nothing, nothing
    means = resampling.replicate(
        discipline, lambda values, counts: weighted_means(values, discipline.units, counts)
    )
    return percentile_interval(means)


def by_metric_table(
    disciplines: Sequence[Discipline],
    settled: Settled,
    rule: str,
    resampling: Bootstrap,
    degenerate: Mapping[tuple[str, ...], int],
) -> pd.DataFrame:
    """Every entrant in every discipline: mean and sample sd over cases, interval, rank, counts.

    degenerate: see `degenerate.cases_as_empty`.
    """
    keys = [*ENTRANT, "structure", "metric", "fault"]
    faults = settled.values.groupby(keys).size().to_dict()
    dropped = settled.dropped.groupby(["structure", "metric"]).size()
    rows = []
    for d in disciplines:
        values = d.case_values()
        ranks = discipline_ranks(d, rule)[0]
        low, high = mean_interval(d, resampling)
        for index, (method, init) in enumerate(d.entrants):
            here = (method, init, d.structure, d.metric)
            rows.append(
                {
                    "method": method,
                    "init": init,
                    "structure": d.structure,
                    "scored_as": d.scored_as,
                    "seen": d.seen,
                    "metric": d.metric,
                    "mean": values[:, index].mean(),
                    "sd": values[:, index].std(ddof=1) if len(values) > 1 else np.nan,
                    "low": low[index],
                    "high": high[index],
                    "rank": ranks[index],
                    "cases": len(values),
                    "specimens": d.specimens,
                    "missing": faults.get((*here, MISSING), 0),
                    "nan_prediction": faults.get((*here, UNDEFINED), 0),
                    "dropped_truth": int(dropped.get((d.structure, d.metric), 0)),
                    "as_empty": degenerate.get(here, 0),
                }
            )
    return table("by_metric", rows)


def leaderboard_table(
    ranks: Ranks,
    replicates: Ranks,
    disciplines: Sequence[Discipline],
    settled: Settled,
    notes: Mapping[Entrant, Sequence[str]],
) -> pd.DataFrame:
    """Places with bootstrap intervals, counts of what is missing, and what a reader must know.

    missing counts runs × cases without a prediction, nan_prediction runs × cases × metrics that a
    prediction left undefined, dropped_truth cases × metrics that no method is scored on.
    """
    cases = settled.values[["structure", "case"]].drop_duplicates()
    missing = settled.missing.groupby(ENTRANT).size()
    undefined = settled.undefined.groupby(ENTRANT).size()
    reasons = interval_reasons(disciplines)
    low, high = place_interval(replicates, given=not reasons)
    rows = []
    for index, entrant in enumerate(ranks.entrants):
        method, init = entrant
        note = [*notes.get(entrant, ()), *reasons]
        rows.append(
            {
                "place": ranks.places[0, index],
                "method": method,
                "init": init,
                "mean_rank": ranks.mean_rank[0, index],
                **{f"rank {group}": r[0, index] for group, r in ranks.groups.items()},
                "cases": len(cases),
                "missing": int(missing.get(entrant, 0)),
                "nan_prediction": int(undefined.get(entrant, 0)),
                "dropped_truth": len(settled.dropped),
                "place_low": low[index],
                "place_high": high[index],
                "note": "; ".join(note),
            }
        )
    columns = leaderboard_columns(ranks.groups)
    leaderboard = pd.DataFrame(rows, columns=columns)
    return leaderboard.sort_values(["place", *ENTRANT], ignore_index=True).astype(
        {"place": "Int64"}
    )


def bootstrap_table(replicates: Ranks) -> pd.DataFrame:
    """Place and mean rank of every entrant in every replicate."""
    number, entrants = replicates.places.shape
    return pd.DataFrame(
        {
            "method": np.tile([method for method, _ in replicates.entrants], number),
            "init": np.tile([init for _, init in replicates.entrants], number),
            "replicate": np.repeat(np.arange(number), entrants),
            "place": replicates.places.ravel(),
            "mean_rank": replicates.mean_rank.ravel(),
        }
    )


def interval_reasons(disciplines: Sequence[Discipline]) -> list[str]:
    """Why places have no interval: the structures with too few specimens, as a sentence."""
    reasons = {}
    for d in disciplines:
        reason = too_few(d.specimens, known=d.known_specimens)
        if reason:
            reasons[d.structure] = f"{d.structure}: {reason}"
    return list(reasons.values())


def place_interval(replicates: Ranks, *, given: bool) -> tuple[Floats, Floats]:
    """Whole places that hold the middle 95 % of the replicates."""
    if not given or not replicates.entrants:
        nothing = np.full(len(replicates.entrants), np.nan)
        return nothing, nothing
    low = np.nanpercentile(replicates.places, 2.5, axis=0, method="lower")
    high = np.nanpercentile(replicates.places, 97.5, axis=0, method="higher")
    return low, high


def _mean_of_defined(ranks: Sequence[Floats]) -> Floats:
    """Mean over the first axis, leaving NaN out; NaN where nothing is defined."""
    stacked = np.stack(ranks)
    defined = ~np.isnan(stacked)
    with np.errstate(invalid="ignore"):
        return np.where(defined, stacked, 0).sum(axis=0) / defined.sum(axis=0)
