"""Sentences on controls: whether what is known beforehand was found."""

from __future__ import annotations

import pandas as pd

from ..ranking.tables import Tables
from . import labels


def controls_outcome(tables: Tables) -> str:
    """One sentence: all controls passed, or which have failed; empty where none was declared."""
    controls = tables.get("controls", pd.DataFrame())
    if controls.empty:
        return ""
    failed = [
        f"{row['control']} (expected {row['expected']}; found {row['statement']})"
        for row in controls.to_dict("records")
        if not row["passed"]
    ]
    if failed:
        return (
            f"No: {labels.count(len(failed), 'control')} of {len(controls)} failed, and the "
            f"verdicts of this run are not to be relied on: {'; '.join(failed)}."
        )
    gains = [
        f"{row['control']} {labels.number(row['gain'], row['metric'], sign=True)} "
        f"(expected {row['expected']})"
        for row in controls.to_dict("records")
    ]
    return f"Yes, {labels.count(len(gains), 'control')} of {len(gains)} passed: {', '.join(gains)}."
