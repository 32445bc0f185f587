"""Pairs of entrants: differences in each metric, and whether they are beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from ..scoring.score_tables import ENTRANT
from .aggregation import Settled
from .discipline import Discipline, Entrant
from .statistics import holm, signed_rank_p, too_few
from .tables import table


def pairwise_table(disciplines: Sequence[Discipline], settled: Settled) -> pd.DataFrame:
    """Paired two-sided Wilcoxon signed-rank tests of specimen means, every pair of entrants.

    difference is a - b, the mean over specimens, in units of the metric. Holm corrects over the
    pairs of a structure and metric. Where specimens are too few or unknown there is a difference
    but no p, and the note says why; it also says where worst values stand for missing ones.
    """
    faults = settled.values[settled.values["fault"] != ""]
    imputed = faults.groupby([*ENTRANT, "structure", "metric"]).size().to_dict()
    return table("pairwise", [row for d in disciplines for row in _pairs(d, imputed)])


def _pairs(discipline: Discipline, imputed: dict[Entrant, int]) -> list[dict[str, object]]:
    _, means = discipline.unit_values()
    reason = too_few(discipline.specimens, known=discipline.known_specimens)
    rows = []
    for a, b in combinations(range(len(discipline.entrants)), 2):
        differences = means[:, a] - means[:, b]
        worst_values = sum(
            imputed.get((*discipline.entrants[index], discipline.structure, discipline.metric), 0)
            for index in (a, b)
        )
        notes = [reason] if reason else []
        if worst_values:
            notes.append(f"worst values for missing or undefined ones: {worst_values}")
        rows.append(
            {
                "structure": discipline.structure,
                "metric": discipline.metric,
                **dict(zip(("method_a", "init_a"), discipline.entrants[a], strict=True)),
                **dict(zip(("method_b", "init_b"), discipline.entrants[b], strict=True)),
                "specimens": discipline.specimens,
                "difference": differences.mean(),
                "p": np.nan if reason else signed_rank_p(differences),
                "note": "; ".join(notes),
            }
        )
    for row, adjusted in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = adjusted
    return rows
