"""Checks of speed and memory: the recipes of a challenge, as they stand, on balls."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from ...challenge import Challenge
from ...challenge.encoder import Encoder
from ...challenge.participants import encoders_of
from ...challenge.recipe import Input
from ...challenge.run import Run
from ...learning import training
from ...learning.device import is_out_of_memory
from ...learning.sampling import source_window
from ...learning.training.learner import Learner
from ...learning.training.training_parts import Training
from ...system.errors import GpuMemoryError
from ...system.tables import read_tsv
from .check import Check, Found
from .small_images import patches_of_balls, volume_of_balls

WAITING = 0.05  # share of the time, for data
BUSY = 0.8
STEPS = 5
PROFILED, WARM = 10, 5


@dataclass(frozen=True)
class Section:
    """A pretext of a method, or its `finetune`, as a challenge trains it."""

    challenge: Challenge
    method: str
    name: str

    @property
    def table(self) -> Path:
        """Steps a second, which `make estimate` reads."""
        return self.challenge.root / self.challenge.layout.throughput(self.method, self.name)

    @property
    def threads(self) -> int:
        """Threads of its jobs, as far as this machine has them."""
        wanted = self.challenge.config.resources.training_threads
        return min(wanted, len(os.sched_getaffinity(0)))

    def pretraining(self, folder: Path) -> training.Pretraining:
        """The pretraining, on a volume that its windows fit into."""
        recipe = self.challenge.methods[self.method].recipe.pretraining(self.name)
        volume = volume_of_balls(folder, _edge(recipe.input))
        return training.Pretraining(
            recipe,
            Encoder(self.method, "spots", self.name, 0),
            (training.VolumeSource(volume, 0),),
        )

    def prepared(self, folder: Path) -> Training:
        """The training, ready to take steps."""
        if self.name != "finetune":
            own = self.pretraining(folder)
            return training.prepare_training(own, folder / "work", self.threads)
        recipe = self.challenge.methods[self.method].recipe.finetuning()
        edge = _edge(recipe.input)
        assigned = training.Finetuning(
            recipe,
            method=self.method,
            target="spots",
            run=Run("scratch"),
            sources=(patches_of_balls(folder, edge),),
            volumes=(training.VolumeSource(volume_of_balls(folder, edge), 0),),
        )
        return training.prepare_finetuning(
            assigned, training.Job(folder / "work", threads=self.threads)
        )


def _edge(input: Input) -> int:
    """Voxels along each side of images that a recipe's windows fit into, in whole blocks."""
    return -(-max(source_window(input.window, input.resample)) // 64) * 64


def recipe(section: Section, folder: Path) -> Found:
    """Steps a second of a training as it stands, and the memory that it takes."""
    section.table.parent.mkdir(parents=True, exist_ok=True)
    try:
        training.measure_as_it_stands(section.prepared(folder), section.table, STEPS)
    except (GpuMemoryError, RuntimeError) as error:
        if not isinstance(error, GpuMemoryError) and not is_out_of_memory(error):
            raise
        return Found("more memory than the GPU has", False)
    row = read_tsv(section.table, "a table of throughput").iloc[0]
    memory = "" if row["memory_mb"] != row["memory_mb"] else f", {row['memory_mb'] / 1e3:.1f} GB"
    rate, windows = row["steps_per_s"], row["windows_per_s"]
    return Found(f"{row['precision']}: {rate:.3g} steps/s, {windows:.3g} windows/s{memory}", True)


def feeding(section: Section, folder: Path) -> Found:
    """The fastest precision, layout and number of workers, and the share of waiting for data."""
    section.table.parent.mkdir(parents=True, exist_ok=True)
    training.measure_pretraining(
        section.pretraining(folder),
        section.table,
        training.Job(folder / "work", threads=section.threads),
    )
    rows = read_tsv(section.table, "a table of throughput")
    held = rows[rows["workers"] < 0]
    told = ", ".join(
        f"{row.precision}{' channels last' if row.channels_last else ''} {row.steps_per_s:.3g}"
        for row in held.itertuples()
    )
    best = rows[rows["advice"] == 1].iloc[0]
    return Found(
        f"steps/s: {told}; {best['workers']} workers: waiting {best['waiting']:.3f}",
        bool(best["waiting"] < WAITING),
    )


def busy(section: Section, folder: Path) -> Found:
    """The share of the time in which the GPU computes, over some steps with data as it comes."""
    prepared = section.prepared(folder)
    learner = Learner(prepared)
    with prepared.batches() as batches:
        for step in range(WARM):
            learner.learn(next(batches), step)
        torch.cuda.synchronize()
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
            for step in range(WARM, WARM + PROFILED):
                learner.learn(next(batches), step)
            torch.cuda.synchronize()
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in seen.events()
        if event.device_type == DeviceType.CUDA and not event.is_user_annotation
    ]
    whole = [event.time_range for event in seen.events()]
    length = max(span.end for span in whole) - min(span.start for span in whole)
    share = covered(spans) / length
    return Found(f"{share:.2f}", share >= BUSY)


def covered(spans: list[tuple[float, float]]) -> float:
    """The length of what spans (start, end) cover together."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def checks_of(challenge: Challenge) -> dict[str, Check]:
    """A check of each training of a challenge, and of what feeds the first of its pretexts."""
    pretexts = sorted({(e.method, e.pretext) for e in encoders_of(challenge) if not e.is_packed})
    names = [*pretexts, *((method, "finetune") for method in sorted(challenge.recipes))]
    on_cpu = challenge.config.resources.gpu == 0
    checks = {}
    if pretexts:
        first = Section(challenge, *pretexts[0])
        label = f"{first.method}/{first.name}"
        checks[f"busy {label}"] = Check(f"computing from {BUSY} of the time", partial(busy, first))
    for method, name in names:
        section = Section(challenge, method, name)
        measured = partial(recipe, section)
        checks[f"recipe {method}/{name}"] = Check("it fits", measured, on_cpu=on_cpu)
    if pretexts:  # last, so that its table is the one that stays
        limit = f"waiting for data below {WAITING}"
        checks[f"feeding {label}"] = Check(limit, partial(feeding, first))
    return checks
