"""Ways to fine-tune and learning rates, side by side on the validation patches alone.

Of each training the history ends with the best validation value of every attempt (a way at a
rate); no test case is read. The attempts of one training share its seed, so they are compared in
pairs with the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ..challenge.run import Run
from ..system.errors import InputError
from ..system.tables import read_tsv

PREFIX = "validation_at_"
KEYS = ["method", "target", "init", "budget"]
COLUMNS = [*KEYS, "attempt", "trainings", "validation", "sd", "above_first", "kept"]


def compare_ways(histories: Iterable[tuple[str, str, str, str | Path]]) -> pd.DataFrame:
    """A row an attempt: its mean validation value, and how often it was the best of its training.

    histories: (method, target, name of a run, its history) of each training. `sd` is between
    trainings, NaN of one; `above_first` is the mean difference to the first attempt. Raises
    InputError for a file that is no history, or one without the value of any attempt.
    """
    tables = [_attempts(*each) for each in histories]
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    grouped = pd.concat(tables).groupby([*KEYS, "attempt"], sort=False)
    rows = grouped.agg(
        trainings=("value", "size"),
        validation=("value", "mean"),
        sd=("value", "std"),
        above_first=("above_first", "mean"),
        kept=("kept", "sum"),
    )
    return rows.reset_index()[COLUMNS]


def _attempts(method: str, target: str, name: str, history: str | Path) -> pd.DataFrame:
    table = read_tsv(history, "a history", columns=["name", "value"])
    found = table[table["name"].astype(str).str.startswith(PREFIX)]
    if found.empty:
        raise InputError(f"{history}: expected rows {PREFIX}<attempt>, found none")
    run, value = Run.parse(name), found["value"].to_numpy(float)
    keys = dict(zip(KEYS, (method, target, run.init, run.budget), strict=True))
    attempts = found["name"].str.removeprefix(PREFIX).to_numpy()
    # As fine-tuning chooses: the first of the best.
    kept = [n == value.argmax() for n in range(len(value))]
    own = {"attempt": attempts, "value": value, "above_first": value - value[0], "kept": kept}
    return pd.DataFrame(keys | own)


def as_markdown(table: pd.DataFrame) -> str:
    """The table to read, attempts of one init below each other."""
    lines = [
        "| method, target | init | patches | attempt | validation | sd | above the first | kept |",
        "|---|---|---|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.method}, {row.target} | {row.init} | {row.budget} | {row.attempt} "
        f"| {row.validation:.3f} | {'–' if pd.isna(row.sd) else format(row.sd, '.3f')} "
        f"| {row.above_first:+.3f} | {row.kept} of {row.trainings} |"
        for row in table.itertuples()
    ]
    return "\n".join(lines) + "\n"
