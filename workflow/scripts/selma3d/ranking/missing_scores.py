"""Missing scores: predictions, values and whole runs, each with what is done about it."""

from __future__ import annotations

import pandas as pd

from ..challenge.run import Run
from ..scoring.score_tables import ENTRANT, RUN, WHOLE_BUDGET, TrackScores
from ..system.errors import InputError
from .aggregation import Settled
from .discipline import Entrant
from .tables import COLUMNS, table

_RUN_OF_STRUCTURE = [*RUN, "structure"]
WORST = "the worst value counts"


def runs_without_scores(
    track: TrackScores, settled: Settled, expected: pd.DataFrame | None
) -> pd.DataFrame:
    """RUN, structure, absent: runs that should have been scored on a structure and were not.

    A run should have been scored where `expected` (method, structure, run, optionally track) names
    it, or where its entrant has other runs with the budget on the structure. absent: the entrant
    has no run on the structure, and so the worst values.
    """
    present = track.predictions[_RUN_OF_STRUCTURE].drop_duplicates()
    structures = present[[*ENTRANT, "budget", "structure"]].drop_duplicates()
    should = [present[RUN].drop_duplicates().merge(structures, on=[*ENTRANT, "budget"])]
    if expected is not None:
        should.append(_runs_of(expected, track.track))
    absent = settled.values.loc[settled.values["absent"], _RUN_OF_STRUCTURE]
    wanted = pd.concat([*should, absent])[_RUN_OF_STRUCTURE].drop_duplicates()
    key = pd.MultiIndex.from_frame
    without = wanted[~key(wanted).isin(key(present))]
    return without.assign(absent=key(without).isin(key(absent)))


def _runs_of(expected: pd.DataFrame, track: str) -> pd.DataFrame:
    """RUN and structure of the expected runs of a track. Raises InputError on a run's bad name."""
    if "track" in expected:
        expected = expected[expected["track"] == track]
    rows = []
    for method, structure, name in expected[["method", "structure", "run"]].itertuples(index=False):
        try:
            run = Run.parse(name)
        except ValueError as error:
            raise InputError(f"expected runs: {method} on {structure}: {error}") from None
        rows.append((method, run.init, run.budget, run.fold, run.seed, structure))
    return pd.DataFrame(rows, columns=_RUN_OF_STRUCTURE)


def missing_table(
    track: TrackScores, settled: Settled, without_scores: pd.DataFrame, unscored: list[str]
) -> pd.DataFrame:
    """One row a gap; `run` or `case` is empty where the gap concerns more than one of them.

    unscored: structures of the ranking groups without any entrant's scores.
    """
    rows = [
        {
            "structure": structure,
            "what": "no scores of any method at the whole label budget: not ranked",
        }
        for structure in unscored
    ]
    for run in without_scores.to_dict("records"):
        consequence = WORST if run["absent"] else "left out of all means"
        what = f"no scores of the run: {consequence}"
        rows.append(
            {
                "method": run["method"],
                "structure": run["structure"],
                "run": _name(run, track.track),
                "what": what,
            }
        )
    for faults, what in (
        (settled.missing, "no prediction: {worst}"),
        (settled.undefined, "{metric} undefined for this prediction: {worst}"),
    ):
        for row in faults[~faults["absent"]].to_dict("records"):
            rows.append(
                {
                    "method": row["method"],
                    "structure": row["structure"],
                    "run": _name(row, track.track),
                    "case": row["case"],
                    "what": what.format(worst=WORST, metric=row["metric"]),
                }
            )
    for row in settled.dropped.to_dict("records"):
        what = f"{row['metric']} undefined for this truth: case dropped for all methods"
        rows.append({"structure": row["structure"], "case": row["case"], "what": what})
    blank = dict.fromkeys(COLUMNS["missing"], "")
    gaps = table("missing", [blank | row for row in rows])
    return gaps.sort_values(list(COLUMNS["missing"]), ignore_index=True)


def gaps_of_entrants(settled: Settled, without_scores: pd.DataFrame) -> dict[Entrant, list[str]]:
    """What a leaderboard row must say about the gaps of an entrant."""
    notes: dict[Entrant, list[str]] = {}
    whole = without_scores[without_scores["budget"] == WHOLE_BUDGET]
    for (method, init, structure), runs in whole.groupby([*ENTRANT, "structure"]):
        if runs["absent"].any():
            note = f"no predictions for {structure}: {WORST}"
        else:
            note = f"{len(runs)} of its runs not scored on {structure}: left out"
        notes.setdefault((method, init), []).append(note)
    for faults, what in (
        (settled.missing, "missing predictions"),
        (settled.undefined, "undefined values"),
    ):
        own = faults[(faults["budget"] == WHOLE_BUDGET) & ~faults["absent"]]
        for (method, init), number in own.groupby(ENTRANT).size().items():
            notes.setdefault((method, init), []).append(f"{what}: {number} ({WORST})")
    return notes


def _name(row: dict[str, object], track: str) -> str:
    return Run(row["init"], row["budget"], row["fold"], row["seed"], track).name
