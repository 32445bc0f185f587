"""Score tables, read and checked, and a track's rows by case, prediction and truth."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from ..challenge.run import Run
from ..system.errors import InputError
from ..system.tables import read_tsv
from .metrics import TRUTH_FACTS

SCORE_COLUMNS = (
    *("edition", "phase", "track", "structure", "scored_as", "seen", "specimen", "case"),
    *("method", "init", "budget", "fold", "seed", "metric_profile", "metric", "value"),
)
ENTRANT = ["method", "init"]
RUN = [*ENTRANT, "budget", "fold", "seed"]
CASE = ["structure", "case"]
CASE_FACTS = ["structure", "scored_as", "seen", "specimen", "case"]
WHOLE_BUDGET = "all"


def read_scores(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read and join tables of scores. Raises InputError naming the file and the column."""
    tables = []
    for path in paths:
        table = read_tsv(path, "a table of scores", SCORE_COLUMNS, dtype=str, keep_default_na=False)
        tables.append(_typed(table, str(path)))
    if not tables:
        return pd.DataFrame(columns=list(SCORE_COLUMNS))
    return pd.concat(tables, ignore_index=True)


def _typed(table: pd.DataFrame, source: str) -> pd.DataFrame:
    seen = table["seen"].str.lower().map({"true": True, "false": False})
    if seen.isna().any():
        found = table.loc[seen.isna(), "seen"].iloc[0]
        raise InputError(f"{source}: seen: expected true or false, found {found!r}")
    try:
        return table.assign(
            seen=seen.astype(bool),
            fold=table["fold"].astype(int),
            seed=table["seed"].astype(int),
            value=table["value"].astype(float),
        )
    except (ValueError, OverflowError) as error:
        raise InputError(f"{source}: expected numbers in fold, seed and value: {error}") from None


@dataclass(frozen=True)
class TrackScores:
    """The scores of one track, checked: who was scored on what, and what the truths are like."""

    track: str
    rows: pd.DataFrame

    @classmethod
    def of(cls, scores: pd.DataFrame, track: str) -> TrackScores:
        """Choose and check a track's rows. Raises InputError naming what contradicts itself."""
        types = {"seen": bool, "fold": int, "seed": int, "value": float}  # also of no rows
        rows = scores[scores["track"] == track].reset_index(drop=True).astype(types)
        for name in ("edition", "phase"):
            if rows[name].nunique() > 1:
                found = ", ".join(map(str, sorted(rows[name].unique())))
                raise InputError(f"scores: {name}: expected one in a ranking, found {found}")
        twice = rows[rows.duplicated([*CASE, *RUN, "metric_profile", "metric"])]
        if len(twice):
            raise InputError(f"scores: {describe(twice.iloc[0])}: expected one row, found several")
        return cls(track, rows)

    @cached_property
    def cases(self) -> pd.DataFrame:
        """One row a case: structure, scored_as, seen, specimen, case, unit, known_specimens.

        `unit` is what is resampled: the specimen, or the case itself where the structure has cases
        of unknown specimen (`known_specimens` is then false).
        """
        cases = self.rows[CASE_FACTS].drop_duplicates().sort_values(CASE, ignore_index=True)
        contradicting = cases[cases.duplicated(CASE)]
        if len(contradicting):
            first = contradicting.iloc[0]
            raise InputError(
                f"scores: case {first['case']!r} of {first['structure']}: expected one specimen, "
                "scored_as and seen, found several (score all methods again on the same cases)"
            )
        known = (cases["specimen"] != "").groupby(cases["structure"]).transform("all").astype(bool)
        unit = cases["specimen"].where(known, "case " + cases["case"])
        return cases.assign(unit=unit, known_specimens=known)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row a run × case that was scored: RUN, structure, case, missing (no prediction)."""
        absent = self.rows["metric"].eq("missing") & self.rows["value"].eq(1)
        scored = self.rows[[*RUN, *CASE]].assign(missing=absent)
        return scored.groupby([*RUN, *CASE], as_index=False)["missing"].any()

    @cached_property
    def truth_facts(self) -> dict[tuple[str, str], dict[str, float]]:
        """What the scores say of each case's truth, by (structure, case)."""
        rows = self.rows[self.rows["metric"].isin(TRUTH_FACTS)]
        first = rows.pivot_table(index=CASE, columns="metric", values="value", aggfunc="first")
        return {case: facts.dropna().to_dict() for case, facts in first.iterrows()}

    def entrants(self) -> list[tuple[str, str]]:
        """(method, init) of all that can be ranked: those with a run on the whole label budget."""
        whole = self.rows[self.rows["budget"] == WHOLE_BUDGET]
        return sorted(set(zip(whole["method"], whole["init"], strict=True)))

    def absent_structures(self, ranked: Collection[str]) -> pd.DataFrame:
        """RUN and structure of the missing rows of entrants without a run on a ranked structure."""
        runs = self.predictions[[*RUN, "structure"]].drop_duplicates()
        whole = runs[runs["budget"] == WHOLE_BUDGET]
        structures = [s for s in self.cases["structure"].unique() if s in ranked]
        named = pd.DataFrame({"structure": structures}, dtype=whole["structure"].dtype)
        everything = whole[RUN].drop_duplicates().merge(named, how="cross")
        present = pd.MultiIndex.from_frame(whole[[*ENTRANT, "structure"]])
        is_present = pd.MultiIndex.from_frame(everything[[*ENTRANT, "structure"]]).isin(present)
        return everything[~is_present]


def describe(row: pd.Series) -> str:
    """A row of the scores in words, for messages."""
    run = Run(row["init"], row["budget"], row["fold"], row["seed"]).model
    return f"{row['metric']} of {row['method']} {run} on {row['structure']}, case {row['case']!r}"
