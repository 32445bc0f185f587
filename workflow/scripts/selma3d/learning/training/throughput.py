"""The rate at which this machine trains a recipe, and the settings that make it fastest."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from ...system.atomic import write_table
from ..device import Compute, be_deterministic, precisions_of, set_threads, versions
from ..task import Batch
from .assignment import Job, Pretraining
from .learner import Learner
from .pretrain import prepare_training
from .training_parts import Training

log = logging.getLogger(__name__)

STEPS = 20
WARM_UP = 3
WAITING_ALLOWED = 0.05
WORKERS = (0, 2, 4, 8)  # as far as there are cores for them


def measure_pretraining(
    pretraining: Pretraining, table: Path, job: Job, steps: int = STEPS
) -> None:
    """Time `steps` steps at each precision and layout, then the fastest with data as it comes.

    Writes a table: device (its name), precision, channels_last, workers, steps_per_s,
    windows_per_s, waiting (share of the time), memory_mb (of the GPU), advice (1 for the row to
    use); and logs the advice. Rows without a number of workers have their data ready beforehand.
    """
    set_threads(job.threads)
    be_deterministic(pretraining.recipe.pretext.deterministic)  # and with it tuned, as in training

    def prepared(**changes: object) -> Training:
        recipe = pretraining.recipe.with_pretext(steps=WARM_UP + steps, warmup=0.0, **changes)
        return prepare_training(replace(pretraining, recipe=recipe), job.work, job.threads)

    rows = []
    for precision in precisions_of(Compute.choose(pretraining.recipe.pretext.device).device):
        for channels_last in (False, True):
            training = prepared(precision=precision, channels_last=channels_last)
            ready = _held(training)
            rows.append(_run_as(training) | {"workers": -1} | _timed(training, ready))
    fastest = max(rows, key=lambda row: row["steps_per_s"])
    for workers in (n for n in WORKERS if n < len(os.sched_getaffinity(0))):
        training = prepared(
            precision=fastest["precision"],
            channels_last=fastest["channels_last"],
            workers=workers,
        )
        with training.batches() as batches:
            rows.append(fastest | {"workers": workers} | _timed(training, batches))
        if rows[-1]["waiting"] < WAITING_ALLOWED:
            break
    frame = pd.DataFrame(rows)
    fed = frame[frame["workers"] >= 0]
    best = fed["steps_per_s"].idxmax()
    frame["advice"] = (frame.index == best).astype(int)
    write_table(frame, table)
    chosen = frame.loc[best]
    log.info(
        "put into the recipe: precision: %s, channels_last: %s, workers: %d "
        "(%.3g steps/s, %.1f %% of the time waiting for data)",
        chosen["precision"],
        str(chosen["channels_last"]).lower(),
        chosen["workers"],
        chosen["steps_per_s"],
        100 * chosen["waiting"],
    )


def measure_as_it_stands(training: Training, table: Path, steps: int = STEPS) -> None:
    """Time `steps` steps of a training with its own settings, and write a table of one row.

    The columns are those of `measure_pretraining`; validations and saves are not timed.
    """
    set_threads(training.threads)
    be_deterministic(training.settings.deterministic)
    shortened = training.settings.model_copy(update={"steps": WARM_UP + steps, "warmup": 0.0})
    training = replace(training, settings=shortened)
    with training.batches() as batches:
        row = _run_as(training) | _timed(training, batches) | {"advice": 1}
    write_table(pd.DataFrame([row]), table)
    log.info("%.3g steps/s, %.1f %% waiting for data", row["steps_per_s"], 100 * row["waiting"])


def _run_as(training: Training) -> dict[str, object]:
    """The columns that say how a training runs; workers: -1 where the recipe leaves them open."""
    settings, compute = training.settings, training.compute
    return {
        "device": versions(compute.device).get("gpu", "cpu"),
        "precision": compute.precision,
        "channels_last": compute.channels_last,
        "workers": -1 if settings.workers is None else settings.workers,
    }


def _held(training: Training) -> Iterator[list[Batch]]:
    """The first batch, again and again: no time is spent on data."""
    with training.batches() as batches:
        first = next(batches)
    while True:
        yield first


def _timed(training: Training, batches: Iterator[list[Batch]]) -> dict[str, float]:
    """Train and measure, after a few steps that compile and tune."""
    compute, settings = training.compute, training.settings
    learner = Learner(training)
    waited = 0.0
    for step in range(settings.steps):
        if step == WARM_UP:
            _wait_for(compute)
            began, waited = time.monotonic(), 0.0
        before = time.monotonic()
        parts = next(batches)
        waited += time.monotonic() - before
        learner.learn(parts, step)
    _wait_for(compute)
    seconds = time.monotonic() - began
    rate = (settings.steps - WARM_UP) / seconds
    return {
        "steps_per_s": rate,
        "windows_per_s": rate * settings.batch,
        "waiting": waited / seconds,
        "memory_mb": _peak_memory_mb(compute),
    }


def _wait_for(compute: Compute) -> None:
    if compute.device.type == "cuda":
        torch.cuda.synchronize(compute.device)


def _peak_memory_mb(compute: Compute) -> float:
    if compute.device.type != "cuda":
        return float("nan")
    peak = torch.cuda.max_memory_allocated(compute.device) / 1e6
    torch.cuda.reset_peak_memory_stats(compute.device)
    return peak
