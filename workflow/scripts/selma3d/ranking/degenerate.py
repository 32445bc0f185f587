"""Degenerate values: equal to the empty mask's on the case, so that they show no skill.

They keep their rank, which the edition's rule gives them, and are marked wherever they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..scoring.metrics import METRICS, degenerate_value
from ..scoring.score_tables import CASE, ENTRANT, TrackScores
from .aggregation import Settled
from .discipline import Entrant

Key = tuple[str, ...]  # method, init, structure, metric


def cases_as_empty(track: TrackScores, settled: Settled) -> dict[Key, int]:
    """How many cases of an entrant, structure and metric have the empty mask's value in every run.

    A missing prediction is one of them; a case whose truth is empty is none. Cases whose truth
    facts the scores lack are not counted.
    """
    values = settled.values
    keys = pd.MultiIndex.from_frame(values[[*CASE, "metric"]])
    of_empty = {key: _value(track, settled.profile, *key) for key in keys.unique()}
    expected = np.array([of_empty[key] for key in keys], dtype=float)
    same = np.isclose(values["value"].to_numpy(float), expected, rtol=0, atol=1e-9)
    every = values.assign(same=same).groupby([*ENTRANT, *CASE, "metric"])["same"].all()
    counts = every[every].groupby([*ENTRANT, "structure", "metric"]).size()
    return {key: int(count) for key, count in counts.items()}


def _value(track: TrackScores, profile: str, structure: str, case: str, metric: str) -> float:
    facts = track.truth_facts.get((structure, case), {})
    try:
        return degenerate_value(metric, facts, profile)
    except KeyError:
        return np.nan


def add_degenerate_notes(notes: Mapping[Entrant, list[str]], by_metric: pd.DataFrame) -> None:
    """Note for a leaderboard row which metrics have the empty mask's value in every case."""
    segmented = by_metric[by_metric["missing"] < by_metric["cases"]]
    empty = segmented[(segmented["as_empty"] == segmented["cases"]) & (segmented["cases"] > 0)]
    for row in empty.itertuples():
        label = METRICS[row.metric].label
        note = f"{row.structure}: {label} is the empty mask's in every case"
        if (row.method, row.init) in notes:
            notes[row.method, row.init].append(note)
