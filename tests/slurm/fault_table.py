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
    """Collects faults, in the order of the tests."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add a row."""
        self._faults.append(fault)

    def write(self, path: Path) -> None:
        """Write the table to `path` (Markdown) and beside it as TSV.

        Faults that an earlier session has noted there, and this one has not, stay.
        """
        if not self._faults:
            return
        kept = path.with_suffix(".tsv")
        path.parent.mkdir(parents=True, exist_ok=True)
        faults = self._with_earlier(kept)
        table = pd.DataFrame(map(asdict, faults))
        table.to_csv(kept, sep="\t", index=False, float_format="%.1f")
        lines = [
            "| fault | what happened | score tables | steps done again | seconds |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {f.fault} | {f.happened} | {f.score_tables} | {f.steps_again} "
            f"| {f.seconds_again:.1f} |"
            for f in faults
        ]
        path.write_text("\n".join(lines) + "\n")

    def _with_earlier(self, kept: Path) -> list[Fault]:
        earlier = pd.read_csv(kept, sep="\t").to_dict("records") if kept.exists() else []
        faults = {row["fault"]: Fault(**row) for row in earlier}
        return list((faults | {fault.fault: fault for fault in self._faults}).values())
