"""Score table of a method on a structure: every run, every case, every metric."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..challenge.run import Run
from ..images import PatchFile, PredictionFile
from ..system.errors import InputError
from .metrics import DESCRIBE, PREDICTED, ROBUST, TRUTH, metrics_of, quantities_of
from .metrics.case_scores import describe_truth, score
from .metrics.comparison import Comparison, spacing_of
from .metrics.prepared import PreparedMask, VoxelSize, prepare_truth
from .metrics.quantities import measure
from .score_tables import SCORE_COLUMNS

log = logging.getLogger(__name__)

MISSING = "missing"  # a metric of "describe": 1 where a run lacks the case

Value = tuple[str, str, float]  # metric profile, metric, value
Rows = list[dict[str, str | int | float]]


@dataclass(frozen=True)
class Scoring:
    """The edition that a structure's cases are scored in, and how.

    tracks: in which the run `default`, of no track, is listed. scored_as: vessel-like or
    spot-like. seen: whether the structure has training labels. profile: the edition's metrics.
    """

    edition: str
    phase: str
    tracks: tuple[str, ...]
    structure: str
    scored_as: str
    seen: bool
    profile: str


def score_predictions(
    cases_h5: str | Path,
    predictions: Sequence[tuple[str, str | Path]],
    *,
    method: str,
    scoring: Scoring,
) -> pd.DataFrame:
    """Score all runs of a method on a structure's cases, in the columns of a score table.

    predictions: (run, its prediction file). A run belongs to the track that its name says; the run
    `default` is of no track and is listed once in each of the tracks.

    A case has rows of the edition's profile, of `robust`, and of "describe": `describe_case`, the
    quantities of truth and prediction, the truth facts (see `metrics`), and `missing`, 1 where a
    run lacks the case; its metrics are then NaN. The log names missing predictions and predictions
    that belong to no case, and counts the cases whose truth is hidden: these have no rows.
    Raises InputError for unknown run names, profiles and structure types, and for predictions of
    another shape than the truth.
    """
    metrics = {
        name: metrics_of(name, scoring.scored_as)
        for name in dict.fromkeys((scoring.profile, ROBUST, DESCRIBE))
    }
    quantities = quantities_of(scoring.scored_as)

    def measured(of: str, mask: PreparedMask, voxel_size_um: VoxelSize | None) -> list[Value]:
        found = measure(mask, scoring.scored_as, spacing_of(voxel_size_um))
        return [(DESCRIBE, of + name, value) for name, value in found.items()]

    rows: Rows = []
    with ExitStack() as stack:
        cases = stack.enter_context(PatchFile(cases_h5))
        runs = [
            (_columns_of_run(run, path, scoring.tracks), stack.enter_context(PredictionFile(path)))
            for run, path in predictions
        ]
        _note_unknown_cases(cases, [file for _, file in runs])
        for case in _cases_with_truth(cases):
            truth, voxel_size_um = prepare_truth(cases.mask(case)), cases.voxel_size_um(case)
            facts = describe_truth(truth, voxel_size_um=voxel_size_um)
            values_of_truth = [(DESCRIBE, fact, value) for fact, value in facts.items()]
            values_of_truth += [
                row for row in measured(TRUTH, truth, voxel_size_um) if row[1] not in facts
            ]
            columns_of_case = {"specimen": cases.specimen(case), "case": case}
            for columns_of_run, file in runs:
                if case in file.ids:
                    comparison = _compare(truth, file, case, voxel_size_um)
                    values = list(_values(comparison, scoring.scored_as, metrics))
                    values += measured(PREDICTED, comparison.prediction, voxel_size_um)
                else:
                    log.warning("%s: no prediction of case %s", file.path, case)
                    values = list(_missing_values(metrics, quantities))
                values += values_of_truth
                for columns in columns_of_run:
                    rows += _rows({**columns_of_case, **columns}, values)
    table = pd.DataFrame(rows, columns=list(SCORE_COLUMNS)).assign(
        edition=scoring.edition,
        phase=scoring.phase,
        structure=scoring.structure,
        scored_as=scoring.scored_as,
        seen="true" if scoring.seen else "false",
        method=method,
    )
    order = ["track", "init", "budget", "fold", "seed", "case"]
    return table.sort_values(order, kind="stable", ignore_index=True)


def _columns_of_run(name: str, path: str | Path, tracks: Sequence[str]) -> Rows:
    """The columns that a run decides, once for each track that it is listed in."""
    try:
        run = Run.parse(name)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    columns = {"init": run.init, "budget": run.budget, "fold": run.fold, "seed": run.seed}
    return [{"track": track, **columns} for track in (tracks if run == Run() else (run.track,))]


def _note_unknown_cases(cases: PatchFile, files: Sequence[PredictionFile]) -> None:
    for file in files:
        unknown = sorted(set(file.ids) - set(cases.ids))
        if unknown:
            log.warning("%s: not scored, no cases of %s: %s", file.path, cases.path, unknown)


def _cases_with_truth(cases: PatchFile) -> list[str]:
    known = [case for case in cases.ids if cases.dataset(f"{case}/mask") is not None]
    hidden = len(cases.ids) - len(known)
    if hidden:
        log.warning("%s: %d cases without a truth are not scored", cases.path, hidden)
    return known


def _compare(
    truth: PreparedMask, file: PredictionFile, case: str, voxel_size_um: VoxelSize | None
) -> Comparison:
    try:
        return Comparison(truth, PreparedMask(file.mask(case)), voxel_size_um)
    except InputError as error:
        raise InputError(f"{file.path}: case {case}: {error}") from None


def _values(comparison: Comparison, scored_as: str, profiles: Iterable[str]) -> Iterator[Value]:
    for profile in profiles:
        for metric, value in score(comparison, scored_as, profile).items():
            yield profile, metric, value
    yield DESCRIBE, MISSING, 0.0


def _missing_values(
    metrics: Mapping[str, Sequence[str]], quantities: Sequence[str]
) -> Iterator[Value]:
    for profile, names in metrics.items():
        for metric in names:
            yield profile, metric, math.nan
    for name in quantities:
        yield DESCRIBE, PREDICTED + name, math.nan
    yield DESCRIBE, MISSING, 1.0


def _rows(columns: dict[str, str | int | float], values: Iterable[Value]) -> Rows:
    return [
        {**columns, "metric_profile": profile, "metric": metric, "value": value}
        for profile, metric, value in values
    ]
