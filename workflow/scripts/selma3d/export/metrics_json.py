"""Scores of a run on a structure in the form of the organisers' `metrics.json`.

Taken from their public evaluation code: `results` is a list with a mapping of metrics a case, and
`aggregates` is flat. In 2024 it holds means, `<structure>_<metric>`, and metrics have names of
their own; in 2026 `iso_<metric>_mean`, `_std` (sample standard deviation; iso: spot-like, con:
vessel-like).
Inferred: 2025 and the robust profile are written as 2026, with our names of the metrics; 2024's
prefix of other structures than c-Fos and microglia is their name. Ours: `case` in each result (the
organisers keep the order of the jobs), one file a structure (they pool those of a type), and null
where a value is undefined or missing, since JSON has no NaN. There the aggregates take the worst
value, as the leaderboard does, and leave out what the truth leaves undefined.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from ..challenge.run import Run
from ..ranking.aggregation import settle
from ..scoring.metrics import metrics_of
from ..scoring.score_tables import TrackScores, read_scores
from ..system.atomic import publish
from ..system.errors import InputError

RESULT_NAMES_2024 = {
    "betti0_error": "betti_matching_error_0",
    "betti1_error": "betti_matching_error_1",
    "cldice": "centerline_dice",
}
AGGREGATE_NAMES_2024 = {"betti0_error": "betti_error_0", "betti1_error": "betti_error_1"}
PREFIXES_2024 = {"microglia": "micro"}
PREFIXES_2026 = {"spot-like": "iso", "vessel-like": "con"}


def metrics_json(scores: pd.DataFrame, run: str, profile: str) -> dict[str, Any]:
    """`{"results": [a mapping a case], "aggregates": {name: number or null}}`.

    scores: a score table of one method and structure. Raises InputError for a run without scores.
    """
    named = Run.parse(run)
    track = named.track if named.init != "default" else scores["track"].iloc[0]
    columns = {"init": named.init, "budget": named.budget, "fold": named.fold, "seed": named.seed}
    rows = scores[scores["track"] == track]
    for column, value in columns.items():
        rows = rows[rows[column] == value]
    if rows.empty:
        found = ", ".join(sorted(set(scores["init"]))) or "none"
        raise InputError(f"scores: run {run!r}: expected its rows, found those of inits {found}")
    structure, scored_as = rows.iloc[0][["structure", "scored_as"]]
    metrics = metrics_of(profile, scored_as)
    cases = rows[(rows["metric_profile"] == profile) & rows["metric"].isin(metrics)]
    settled = settle(TrackScores.of(rows, track), profile).values
    return {
        "results": [
            {"case": case, **_result(of_case, metrics, profile)}
            for case, of_case in cases.groupby("case")
        ],
        "aggregates": _aggregates(settled, metrics, profile, structure, scored_as),
    }


def write_metrics_json(scores_tsv: Path, run: str, profile: str, output: Path) -> None:
    """Write a run's metrics.json, see the module's text."""
    content = metrics_json(read_scores([scores_tsv]), run, profile)
    with publish(output) as temporary:
        temporary.write_text(json.dumps(content, indent=4, allow_nan=False) + "\n")


def _result(rows: pd.DataFrame, metrics: tuple[str, ...], profile: str) -> dict[str, float | None]:
    names = RESULT_NAMES_2024 if profile == "selma2024" else {}
    values = dict(zip(rows["metric"], rows["value"], strict=True))
    return {names.get(metric, metric): _number(values[metric]) for metric in metrics}


def _aggregates(
    values: pd.DataFrame, metrics: tuple[str, ...], profile: str, structure: str, scored_as: str
) -> dict[str, float | None]:
    by_metric = {metric: values.loc[values["metric"] == metric, "value"] for metric in metrics}
    if profile == "selma2024":
        prefix = PREFIXES_2024.get(structure, structure)
        return {
            f"{prefix}_{AGGREGATE_NAMES_2024.get(metric, metric)}": _number(some.mean())
            for metric, some in by_metric.items()
        }
    prefix = PREFIXES_2026[scored_as]
    aggregates = {}
    for metric, some in by_metric.items():
        aggregates[f"{prefix}_{metric}_mean"] = _number(some.mean())
        aggregates[f"{prefix}_{metric}_std"] = _number(some.std(ddof=1))
    return aggregates


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
