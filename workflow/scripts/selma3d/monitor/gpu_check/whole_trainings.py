"""Checks of whole trainings: stopped and gone on, in several processes, too large, and learnt."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch

from ...learning import training
from ...learning.training.assignment import Assignment
from ...learning.training.checkpoint import digest
from ...learning.training.launch import launch
from ...system import gpus
from ...system.errors import GpuMemoryError
from .check import Check, Found, at_most, folder_in
from .small_trainings import apart, finetuning, pretraining, trained, trained_with_stops

SAME = 1e-5
# Rounding of gradients to ten bits (TF32) moves weights apart by so much, on a CPU: 0.0005 in 8
# steps, 0.01 in 100.
CLOSE, DRIFTED = 5e-3, 5e-2
LEARNT = 0.6  # Dice
LEARNING_STEPS = 300


def resume(folder: Path) -> Found:
    """A training that is stopped and goes on against an undisturbed one, bit for bit."""
    assigned = finetuning(folder, deterministic=True, steps=_steps())
    whole = trained(assigned, folder_in(folder, "whole"))
    stopped, at = trained_with_stops(assigned, folder_in(folder, "stopped"))
    alike = digest(whole["state"]) == digest(stopped["state"])
    return Found(f"{'alike' if alike else 'different'}, stopped at {at}", alike and bool(at))


def resume_of_fast_kernels(folder: Path) -> Found:
    """The same without `deterministic`, in which a GPU sums in any order."""
    assigned = finetuning(folder, precision="fp32", steps=_steps())
    whole = trained(assigned, folder_in(folder, "whole"))
    stopped, at = trained_with_stops(assigned, folder_in(folder, "stopped"))
    distance = apart(whole, stopped)
    return Found(f"{distance:.2g}, stopped at {at}", distance <= DRIFTED and bool(at))


def _steps() -> int:
    """So many that a GPU does not do them all before it is stopped."""
    return 100 if torch.cuda.is_available() else 8


def one_process(folder: Path) -> Found:
    """One process that torch.distributed.run has started, over NCCL on a GPU, against none."""
    assigned = finetuning(folder, deterministic=True)
    plain = trained(assigned, folder_in(folder, "plain"))
    own = folder_in(folder, "launched")
    outputs = training.Outputs(own / "model.pt", own / "history.tsv")
    launch(Assignment(assigned, outputs, training.Job(own / "work")))
    launched = torch.load(outputs.weights, map_location="cpu", weights_only=True)
    return at_most(apart(plain, launched), SAME)


def two_processes(folder: Path) -> Found:
    """Two processes, a GPU each, that share a batch, against one with all of it."""
    assigned = finetuning(folder, deterministic=True, precision="fp32", batch_dice=True)
    plain = trained(assigned, folder_in(folder, "plain"))
    shared = trained(assigned, folder_in(folder, "shared"), processes=2)
    return at_most(apart(plain, shared), CLOSE)


def claims(folder: Path) -> Found:
    """Two jobs of one machine, or one allocation, that ask for a GPU each."""
    given = os.environ.get(gpus.VISIBLE)
    with gpus.claimed(1) as one:
        if given is None:
            del os.environ[gpus.VISIBLE]
        else:
            os.environ[gpus.VISIBLE] = given
        with gpus.claimed(1) as other:
            return Found(f"{', '.join(one)}; {', '.join(other)}", not set(one) & set(other))


def learning(folder: Path) -> Found:
    """Fine-tuning from scratch on balls: Dice on patches that it has not seen."""
    content = trained(finetuning(folder, steps=LEARNING_STEPS), folder)
    dice = content["validation"]["value"]
    return Found(f"{dice:.3f}", dice >= LEARNT)


def out_of_memory(folder: Path) -> Found:
    """A batch that no GPU of today has the memory for; one of its windows fits."""
    size = {"network": {"name": "unet", "channels": [256, 256, 256], "strides": [2, 2]},
            "window": [128, 128, 128], "batch": 256, "workers": 0}  # fmt: skip
    return refused_for_memory(
        lambda: training.pretrain(
            pretraining(folder, task="masked", augment={}, **size),
            training.Outputs(folder / "encoder.pt", folder / "history.tsv"),
            training.Job(folder / "work", threads=8),
        )
    )


def refused_for_memory(train: Callable[[], None]) -> Found:
    """Whether a training ends in the one line that names what would fit."""
    try:
        train()
    except GpuMemoryError as error:
        return Found(str(error), "\n" not in str(error) and "fits" in str(error))
    return Found("it fitted", False)


CHECKS = {
    "resume": Check("bit for bit", resume, on_cpu=True),
    "resume of fast kernels": Check(
        f"weights within {DRIFTED}", resume_of_fast_kernels, on_cpu=True
    ),
    "one process": Check(f"weights within {SAME} of plain", one_process, on_cpu=True),
    "two processes": Check(f"weights within {CLOSE} of one", two_processes, gpus=2, on_cpu=True),
    "claims": Check("GPUs of their own", claims, gpus=2),
    "learning": Check(f"Dice from {LEARNT}", learning, on_cpu=True),
    "out of memory": Check("one line, which says what fits", out_of_memory),
}
