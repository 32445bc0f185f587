"""Verdicts on controls: comparisons with a known answer, and whether each came out so.

As a command, with the configuration files of a challenge: a line a control, and exit code 1 where
one has failed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from ..challenge.config import read_config
from ..challenge.controls import Control
from ..challenge.layout import Layout
from ..system.errors import InputError
from .run_pairs import ArmComparison
from .tables import table
from .verdicts import GAIN, HARM, NOT_ANSWERABLE, judge_alone, row_of

ROOT = Path(__file__).resolve().parents[4]


def controls_table(
    scores: pd.DataFrame,
    controls: Mapping[str, Control],
    margin: float,
    targets: Mapping[str, str],
) -> pd.DataFrame:
    """A row a control: what was expected, what was found, whether it passed.

    scores, targets and errors as in `verdicts.judge`.
    """
    return table("controls", _rows(scores, controls, margin, targets))


def _rows(
    scores: pd.DataFrame,
    controls: Mapping[str, Control],
    margin: float,
    targets: Mapping[str, str],
) -> Iterator[dict[str, object]]:
    for name, control in controls.items():
        comparison = ArmComparison(
            method=control.method,
            init=control.init,
            against=control.against,
            metric=control.metric,
            budget=str(control.budget),
            structures=control.structures,
        )
        judged = judge_alone(scores, name, comparison, margin, targets)
        yield row_of(judged) | {
            "control": name,
            "expected": control.expect,
            "found": judged.verdict,
            "passed": passed(control.expect, judged.verdict),
        }


def passed(expected: str, verdict: str) -> bool:
    """Whether a control's verdict is one that it may have."""
    if verdict == NOT_ANSWERABLE:
        return False
    if expected == "gain":
        return verdict == GAIN
    return verdict not in ((GAIN,) if expected == "no gain" else (GAIN, HARM))


def line(row: Mapping[str, object]) -> str:
    """A control in one line: passed or FAILED, expected, found."""
    outcome = "passed" if row["passed"] else "FAILED"
    return (
        f"{outcome}: {row['control']} ({row['init']} against {row['against']}): "
        f"expected {row['expected']}, found {row['statement']}"
    )


def main(files: list[str]) -> int:
    """Print the outcome of each control of a challenge that has been ranked; 1 where one failed."""
    config = read_config(ROOT, files)
    layout, failed = Layout(config.results), []
    for track in config.tracks:
        path = Path(layout.ranking("controls", track))
        if not path.exists():
            raise InputError(f"{path}: expected a table of controls, found none (run it first)")
        for row in pd.read_csv(path, sep="\t").to_dict("records"):
            print(line(row))
            failed += [] if row["passed"] else [str(row["control"])]
    if failed:
        names = ", ".join(failed)
        print(f"controls failed: {names} (report: {layout.report})", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except InputError as error:
        sys.exit(f"error: {error}")
