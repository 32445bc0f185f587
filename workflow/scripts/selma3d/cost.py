"""What methods cost to run: time, GPU time and memory, from the benchmark tables of their jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .errors import InputError

COLUMNS = ("method", "init", "stage", "jobs", "hours", "gpu_hours", "peak_memory_gb", "parameters")
STAGES = ("pretrain", "finetune", "predict", "segment")


@dataclass(frozen=True)
class Job:
    """One job: what it was for, how many GPUs it held, and where its benchmark stands.

    history: of a training, whose seconds count all attempts; the benchmark knows only the last.
    """

    method: str
    init: str
    stage: str
    gpus: int
    benchmark: Path
    history: Path | None = None


def cost_table(jobs: Iterable[Job], parameters: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Sum jobs by method, init and stage; memory is the highest of any job.

    parameters: of each method's network, where known.
    Raises InputError for a benchmark without the columns `s` (seconds) and `max_rss` (MB).
    """
    rows = []
    for job in jobs:
        seconds, memory_mb = measure_of(job)
        rows.append(
            {
                "method": job.method,
                "init": job.init,
                "stage": job.stage,
                "jobs": 1,
                "hours": seconds / 3600,
                "gpu_hours": job.gpus * seconds / 3600,
                "peak_memory_gb": memory_mb / 1024,
            }
        )
    measured = pd.DataFrame(rows, columns=[c for c in COLUMNS if c != "parameters"])
    sums = dict.fromkeys(("jobs", "hours", "gpu_hours"), "sum") | {"peak_memory_gb": "max"}
    keys = ["method", "init", "stage"]
    cost = measured.groupby(keys, sort=False).agg(sums).reset_index()
    cost["parameters"] = cost["method"].map(dict(parameters or {})).astype("Int64")
    return cost[list(COLUMNS)]


def measure_of(job: Job) -> tuple[float, float]:
    """Seconds and megabytes of a job; a missing measurement (`-`, `NA`) is NaN."""
    table = pd.read_csv(job.benchmark, sep="\t", na_values=["-", "NA"])
    for column in ("s", "max_rss"):
        if column not in table:
            raise InputError(
                f"{job.benchmark}: column {column!r}: expected, found {', '.join(table.columns)}"
            )
    seconds = float(table["s"].sum())
    if job.history is not None:
        trained = pd.read_csv(job.history, sep="\t")["seconds"]
        seconds = max(seconds, float(trained.max()))
    return seconds, float(table["max_rss"].max())
