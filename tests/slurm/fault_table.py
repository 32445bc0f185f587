"""What each fault did to a run, as the tests found it: a table in Markdown, and as TSV."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Fault:
    """One fault and its consequences."""

    fault: str
    happened: str
    score_tables: str  # identical, or what else
    steps_again: int
    seconds_again: float


class FaultTable:
    """Faults in the order of the tests, in a file (Markdown) and beside it as TSV.

    A row stands there as soon as it is added. Faults that an earlier session has noted, and this
    one has not, stay.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def add(self, fault: Fault) -> None:
        """Add a row, or replace the row of an earlier session."""
        if self._path is None:
            return
        kept = self._path.with_suffix(".tsv")
        earlier = pd.read_csv(kept, sep="\t").to_dict("records") if kept.exists() else []
        faults = {row["fault"]: row for row in earlier} | {fault.fault: asdict(fault)}
        table = pd.DataFrame(faults.values())
        self._path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(kept, sep="\t", index=False, float_format="%.1f")
        self._path.write_text(as_markdown(table))


def as_markdown(table: pd.DataFrame) -> str:
    """A table for people."""
    lines = [
        "| fault | what happened | score tables | steps done again | seconds |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.fault} | {row.happened} | {row.score_tables} | {row.steps_again} "
        f"| {row.seconds_again:.1f} |"
        for row in table.itertuples()
    ]
    return "\n".join(lines) + "\n"
