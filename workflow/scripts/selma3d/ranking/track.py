"""Ranking of a track: from its scores to every table that figures, tables and report are made of.

An entrant is (method, init) at the whole label budget.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

import pandas as pd

from ..challenge.analysis import Analysis
from ..challenge.run import NO_INIT, is_ensemble
from ..scoring.references import REFERENCE_COLUMNS
from ..scoring.score_tables import ENTRANT, WHOLE_BUDGET, TrackScores
from .aggregation import Settled, case_values, settle
from .bootstrap import Bootstrap
from .case_references import COMPARED, case_references_table, doubtful_cases
from .controls import controls_table
from .curves import curves_table, gap_table
from .degenerate import add_degenerate_notes, cases_as_empty
from .described import (
    agreement_table,
    described_table,
    quantities_by_case,
    settle_described,
)
from .discipline import Discipline, Entrant, disciplines_of
from .entrant_pairs import pairwise_table
from .further_leaderboards import further_leaderboards_table
from .gains import gains_tables
from .leaderboard import bootstrap_table, by_metric_table, interval_reasons, leaderboard_table, rank
from .missing_scores import gaps_of_entrants, missing_table, runs_without_scores
from .settings import RankingSettings
from .stability import (
    profile_places_table,
    profiles_table,
    rules_table,
    settle_robust,
    stability_table,
)
from .tables import COLUMNS, table
from .verdicts import judge, verdicts_table
from .weights import weights_table

log = logging.getLogger(__name__)


def rank_track(
    scores: pd.DataFrame,
    settings: RankingSettings,
    *,
    track: str,
    expected: pd.DataFrame | None = None,
    references: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Rank the entrants of one track and compare them, as tables by name.

    Parameters
    ----------
    scores: rows of the score tables of all methods (`score_tables.read_scores`).
    expected: method, structure, run (and track): what should have been scored; what was not is
        listed in the table `missing`.
    references: rows of `scoring.references` on the same cases.

    The result is a function of its arguments alone. Raises InputError where scores contradict
    themselves.
    """
    track_scores = TrackScores.of(scores, track)
    groups = settings.groups_of(track_scores)
    grouped = {structure for members in groups.values() for structure in members}
    settled = settle(track_scores, settings.metric_profile, ranked=grouped)
    whole = _only(settled, budget=WHOLE_BUDGET)
    in_ranking = _only(whole, structures=grouped)
    disciplines = disciplines_of(whole.values)
    ranked = [d for d in disciplines if d.structure in grouped]
    resampling = Bootstrap(settings.seed, settings.bootstrap)
    log.info(
        "track %s: %d entrants, %d disciplines, rule %s, %d bootstrap replicates",
        *(track, len(track_scores.entrants()), len(ranked), settings.rule, settings.bootstrap),
    )

    ranks = rank(ranked, groups, settings.rule)
    replicates = rank(ranked, groups, settings.rule, resampling)
    without_scores = runs_without_scores(track_scores, settled, expected)
    unscored = sorted(grouped - {d.structure for d in ranked})
    notes = _notes(track_scores, ranked, in_ranking, without_scores, unscored)
    robust = settle_robust(track_scores, settled, grouped)
    rules = rules_table(ranked, groups)
    profile_places = profile_places_table(ranks, robust, groups, settings.rule)
    degenerate = cases_as_empty(track_scores, whole)
    by_metric = by_metric_table(disciplines, whole, settings.rule, resampling, degenerate)
    add_degenerate_notes(notes, by_metric)
    gains, gains_by_specimen = gains_tables(settled)
    described = settle_described(track_scores)
    if references is None:
        references = pd.DataFrame(columns=list(REFERENCE_COLUMNS))
    compared = _compared(settled, described)
    doubtful = set() if settings.exact_labels else doubtful_cases(references, compared)
    return {
        "cases": _cases_table(settled, doubtful),
        "leaderboard": leaderboard_table(ranks, replicates, ranked, in_ranking, notes),
        "by_metric": by_metric,
        "further_leaderboards": further_leaderboards_table(
            ranked, groups, in_ranking, settings, resampling
        ),
        "weights": weights_table(ranked, groups),
        "references": case_references_table(references, compared, doubtful),
        "described": described_table(track_scores, settled, described),
        "quantities": table("quantities", quantities_by_case(track_scores).to_dict("records")),
        "agreement": agreement_table(track_scores),
        "bootstrap": bootstrap_table(replicates),
        "pairwise": pairwise_table(disciplines, whole),
        "rules": rules,
        "stability": stability_table(
            ranks,
            replicates,
            rules,
            profile_places,
            settings.metric_profile,
            intervals=not interval_reasons(ranked),
        ),
        "verdicts": _verdicts(settled, settings),
        "controls": _controls(settled, settings),
        "gains": gains,
        "gains_by_specimen": gains_by_specimen,
        "curves": curves_table(settled, settings.training_patches, resampling),
        "gap": gap_table(by_metric, settings.other_acquisitions),
        "profiles": profiles_table(track_scores, settled, robust),
        "profile_places": profile_places,
        "missing": missing_table(track_scores, settled, without_scores, unscored),
    }


def _only(
    settled: Settled, *, budget: str | None = None, structures: set[str] | None = None
) -> Settled:
    """The part of settled values that has a budget, or belongs to some structures."""
    values, dropped = settled.values, settled.dropped
    if budget is not None:
        values = values[values["budget"] == budget]
    if structures is not None:
        values = values[values["structure"].isin(structures)]
        dropped = dropped[dropped["structure"].isin(structures)]
    return Settled(settled.profile, values, dropped)


def _verdicts(settled: Settled, settings: RankingSettings) -> pd.DataFrame:
    """Verdicts on what was declared; no row where nothing was."""
    if settings.analysis is None:
        return table("verdicts", [])
    measured = settled.values[~settled.values["absent"]]
    judgements = judge(measured, settings.analysis, settings.targets)
    return verdicts_table(judgements, settings.analysis, settings.design)


def _controls(settled: Settled, settings: RankingSettings) -> pd.DataFrame:
    """Verdicts on the declared controls; no row where none is."""
    margin = Analysis.model_fields["margin"].default
    if settings.analysis is not None:
        margin = settings.analysis.margin
    measured = settled.values[~settled.values["absent"]]
    return controls_table(measured, settings.controls, margin, settings.targets)


def _compared(settled: Settled, described: Settled) -> pd.DataFrame:
    """Entrants' values by case in the metrics that references have, with every training patch."""
    values = pd.concat([settled.values, described.values], ignore_index=True)
    wanted = (values["budget"] == WHOLE_BUDGET) & values["metric"].isin(COMPARED)
    return case_values(values[wanted])


def _cases_table(settled: Settled, doubtful: Collection[tuple[str, str]]) -> pd.DataFrame:
    cases = case_values(settled.values).assign(metric_profile=settled.profile)
    keys = zip(cases["structure"], cases["case"], strict=True)
    cases["doubtful"] = [key in doubtful for key in keys]
    return cases[list(COLUMNS["cases"])]


def _notes(
    track_scores: TrackScores,
    ranked: Sequence[Discipline],
    in_ranking: Settled,
    without_scores: pd.DataFrame,
    unscored: Sequence[str],
) -> dict[Entrant, list[str]]:
    """What a leaderboard row must say, entrant by entrant."""
    structures = {d.structure for d in ranked}
    notes = gaps_of_entrants(
        in_ranking, without_scores[without_scores["structure"].isin(structures)]
    )
    seeds = in_ranking.values.groupby(ENTRANT)["seed"].nunique()
    for entrant in track_scores.entrants():
        own = notes.setdefault(entrant, [])
        if is_ensemble(entrant[1]):
            own.append("one ensemble: variation between ensembles not covered")
        elif entrant[1] != NO_INIT and seeds.get(entrant) == 1:
            own.append("one seed: variation between trainings not covered")
        if unscored:
            own.append(f"without {', '.join(unscored)}, on which no entrant was scored")
    return notes
