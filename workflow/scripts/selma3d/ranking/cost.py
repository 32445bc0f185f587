"""The cost of methods: time, GPU time and memory, from the benchmarks and states of their jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..system.errors import InputError
from ..system.job_state import JobState
from ..system.tables import read_tsv

COLUMNS = (
    *("method", "init", "stage", "jobs"),
    *("hours", "cpu_hours", "gpu_hours", "peak_memory_gb", "parameters"),
)
STAGES = ("pretrain", "finetune", "predict", "segment")


@dataclass(frozen=True)
class MeasuredJob:
    """One job: what it was for, how many GPUs it held, and where its benchmark stands.

    history: of a training, whose seconds count all attempts; the benchmark knows only the last.
    state: file that tells the CPU time; where it does not, the benchmark's is taken, which misses
    up to half a minute. Either knows the last attempt only.
    """

    method: str
    init: str
    stage: str
    gpus: int
    benchmark: Path
    history: Path | None = None
    state: Path | None = None


@dataclass(frozen=True)
class Measure:
    """What a job took; NaN for what was not measured."""

    seconds: float
    cpu_seconds: float
    memory_mb: float


def cost_table(
    jobs: Iterable[MeasuredJob], parameters: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """Sum jobs by method, init and stage; memory is the highest of any job.

    parameters: of each method's network, where known.
    Raises InputError for a benchmark without the columns `s` (seconds) and `max_rss` (MB).
    """
    rows = []
    for job in jobs:
        took = measure_of(job)
        rows.append(
            {
                "method": job.method,
                "init": job.init,
                "stage": job.stage,
                "jobs": 1,
                "hours": took.seconds / 3600,
                "cpu_hours": took.cpu_seconds / 3600,
                "gpu_hours": job.gpus * took.seconds / 3600,
                "peak_memory_gb": took.memory_mb / 1024,
            }
        )
    measured = pd.DataFrame(rows, columns=[c for c in COLUMNS if c != "parameters"])
    sums = {"jobs": "sum", "hours": "sum", "cpu_hours": _sum_known, "gpu_hours": "sum"}
    sums |= {"peak_memory_gb": "max"}
    keys = ["method", "init", "stage"]
    cost = measured.groupby(keys, sort=False).agg(sums).reset_index()
    cost["parameters"] = cost["method"].map(dict(parameters or {})).astype("Int64")
    return cost[list(COLUMNS)]


def _sum_known(values: pd.Series) -> float:
    """NaN where no job was measured."""
    return values.sum(min_count=1)


def measure_of(job: MeasuredJob) -> Measure:
    """Time and memory of a job; a missing measurement (`-`, `NA`) is NaN."""
    columns = ("s", "max_rss")
    table = read_tsv(job.benchmark, "a benchmark", columns, na_values=["-", "NA"])
    seconds = _numbers(table, "s", job.benchmark).sum()
    if job.history is not None:
        trained = read_tsv(job.history, "a history", ["seconds"])
        seconds = max(seconds, _numbers(trained, "seconds", job.history).max())
    state = JobState.read(job.state) if job.state else None
    cpu_seconds = state.cpu_seconds if state else None
    if cpu_seconds is None:
        known = "cpu_time" in table
        cpu_seconds = _sum_known(_numbers(table, "cpu_time", job.benchmark)) if known else np.nan
    memory_mb = _numbers(table, "max_rss", job.benchmark).max()
    return Measure(float(seconds), float(cpu_seconds), float(memory_mb))


def _numbers(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    try:
        return pd.to_numeric(table[column])
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {column}: expected numbers, found others ({error})") from None
