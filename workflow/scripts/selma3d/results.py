"""Results for Python users: the tables of a finished challenge as tidy frames.

    from selma3d.results import read
    results = read("results/demo")
    results.leaderboard

docs/results.md explains every column; docs/results.ipynb is a notebook that uses them. Importing
this needs pandas, and neither Snakemake nor torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .challenge.layout import Layout
from .ranking.tables import RANKING_TABLES
from .scoring.score_tables import read_scores
from .system.errors import InputError
from .system.tables import listed, read_tsv

__all__ = ["Results", "read"]

AS_TEXT = {"case": str, "specimen": str, "budget": str}  # 007 is a name, and so is a budget of 4


@dataclass(frozen=True)
class Results:
    """Tables of one track of a finished (or, of `partial/`, an unfinished) challenge.

    scores: a row a case, run, metric profile and metric, of every run of the track. leaderboard: a
    row an entrant, best first. gains: a row an entrant, structure, metric and budget: pretrained
    less scratch, with its interval. verdicts: a row an endpoint that was declared beforehand.
    costs: a row an entrant and stage, hours of all its jobs together.
    """

    layout: Layout
    track: str
    scores: pd.DataFrame
    leaderboard: pd.DataFrame
    gains: pd.DataFrame
    verdicts: pd.DataFrame
    costs: pd.DataFrame

    def ranking(self, table: str) -> pd.DataFrame:
        """Any other table of the ranking by name, such as `bootstrap`; InputError for no such."""
        if table not in RANKING_TABLES:
            known = ", ".join(RANKING_TABLES)
            raise InputError(f"ranking {table!r}: expected one of {known}")
        return read_tsv(self.layout.ranking(table, self.track), "a ranking table", dtype=AS_TEXT)

    def entrants(self) -> Mapping[tuple[str, str], str]:
        """Titles of entrants by method and init, in the order of the leaderboard."""
        rows = self.leaderboard[["method", "init", "entrant"]].itertuples(index=False, name=None)
        return {(method, init): title for method, init, title in rows}


def read(root: str | Path, track: str = "per-type", *, partial: bool = False) -> Results:
    """Read a results folder, such as results/demo: the one that holds report.html.

    track: `per-type` or `one-model`. partial: what `make partial` wrote of an unfinished run.
    Raises InputError where the folder holds no results, or not of this track, and for a file that
    is no such table.
    """
    layout = Layout(str(root), partial)
    if not Path(layout.table("leaderboard", track)).is_file():
        raise InputError(_nothing_there(layout, track))
    tables = {
        name: read_tsv(layout.table(name, track), "a table of results", dtype=AS_TEXT)
        for name in ("leaderboard", "gains", "verdicts", "cost")
    }
    scores = read_scores(sorted(Path(layout.scored_root, "scores").glob("*/*.tsv")))
    return Results(
        layout,
        track,
        scores[scores["track"] == track].reset_index(drop=True),
        tables["leaderboard"],
        tables["gains"],
        tables["verdicts"],
        tables["cost"],
    )


def _nothing_there(layout: Layout, track: str) -> str:
    """What is said where there is nothing to read, with what may help."""
    expected = f"{layout.table('leaderboard', track)}: expected a table of results, found nothing"
    tracks = sorted(path.parent.name for path in Path(layout.scored_root).glob("tables/*/*.tsv"))
    tracks = [name for name in dict.fromkeys(tracks) if name != "data"]
    if tracks:
        return f"{expected}; tracks there: {listed(tracks)}"
    if not layout.partial and Path(layout.results, "partial", "tables").is_dir():
        return f"{expected}; the run is not finished: partial=True reads what is"
    return f"{expected}; expected the folder that holds report.html, such as results/demo"
