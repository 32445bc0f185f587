"""Weights of metrics in a ranking, which follow from its groups and their structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from .discipline import Discipline
from .tables import table


def weights_table(
    disciplines: Sequence[Discipline], groups: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """The share of each structure's metrics in the mean rank, which add up to 1.

    Ranks are averaged within a group, then over groups with scores: the fewer structures and
    metrics a group has, the more each of its metrics weighs.
    """
    members = {
        group: [d for d in disciplines if d.structure in structures]
        for group, structures in groups.items()
    }
    scored = {group: found for group, found in members.items() if found}
    rows = [
        {
            "group": group,
            "structure": discipline.structure,
            "metric": discipline.metric,
            "weight": 1 / len(scored) / len(found),
        }
        for group, found in scored.items()
        for discipline in found
    ]
    return table("weights", rows)
