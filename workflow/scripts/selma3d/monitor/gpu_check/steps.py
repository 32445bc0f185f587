"""Checks of training steps: every task at every precision, without a step that waits for a GPU."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ...learning.device import Compute, be_deterministic, precisions_of
from ...learning.training.learner import Learner
from ...learning.training.training_parts import Training
from .check import Check, Found
from .small_trainings import TASKS, prepared

EXACT, HALF = 0.02, 0.05  # of the first loss on the CPU, in fp32
STEPS = 5
SETTLED = 2  # steps in which memory is taken and kernels are chosen
SWITCHED = 0.1
# Tasks whose noise is drawn by the device itself, and how far their first loss is apart for that.
OWN_NOISE, APART = {"genesis", "restore", "shuffled"}, 0.1


def task(name: str, folder: Path) -> Found:
    """First losses at each precision against the CPU's in fp32, and steps of which none waits."""
    usual = float(losses_of(prepared(name, folder, device="cpu", precision="fp32"), 1)[0])
    told, passed = [], True
    for precision in precisions_of(Compute.choose().device):
        losses = losses_of(prepared(name, folder, precision=precision), STEPS)
        apart = abs(float(losses[0]) - usual) / abs(usual)
        finite = bool(torch.stack(losses).isfinite().all())
        limit = EXACT if precision == "fp32" else HALF
        passed &= finite and apart <= (APART if name in OWN_NOISE else limit)
        told.append(f"{precision} {apart:.2g}{'' if finite else ' not finite'}")
    return Found(", ".join(told), passed)


def losses_of(training: Training, steps: int) -> list[Tensor]:
    """The losses of some steps; on a GPU, once settled, waiting for it is an error."""
    be_deterministic(training.settings.deterministic)
    learner, losses = Learner(training), []
    on_gpu = training.compute.device.type == "cuda"
    with training.batches() as batches:
        ready = [next(batches) for _ in range(steps)]
    try:
        for step, parts in enumerate(ready):
            if on_gpu and step == SETTLED:
                torch.cuda.set_sync_debug_mode("error")
            losses.append(learner.learn(parts, step)[0]["loss"])
    finally:
        if on_gpu:
            torch.cuda.set_sync_debug_mode("default")
    return losses


def other_precision(folder: Path) -> Found:
    """A state that was saved at one precision goes on at another."""
    usual, *others = reversed(precisions_of(Compute.choose().device))
    saved, losses = None, {}
    for precision in (usual, *others):
        training = prepared("masked", folder, precision=precision)
        learner = Learner(training)
        with training.batches() as batches:
            parts = [next(batches) for _ in range(STEPS)]
        if saved is None:
            for step in range(STEPS - 1):
                learner.learn(parts[step], step)
            saved = copy.deepcopy(learner.state_dict())  # the next step changes it
        else:
            learner.load_state_dict(saved)
        losses[precision] = float(learner.learn(parts[-1], STEPS - 1)[0]["loss"])
    worst = max(abs(loss / losses[usual] - 1) for loss in losses.values())
    told = ", ".join(f"{precision} {loss:.4g}" for precision, loss in losses.items())
    return Found(f"from {usual} on: {told}", worst <= SWITCHED)


CHECKS = {
    **{
        name: Check(
            f"first loss within {APART} of the CPU's, by noise of its own; no step waits"
            if name in OWN_NOISE
            else f"first loss within {EXACT} (half precision: {HALF}) of the CPU's; no step waits",
            partial(task, name),
            on_cpu=True,
        )
        for name in TASKS
    },
    "precision of a resume": Check(
        f"next loss at each precision within {SWITCHED}", other_precision, on_cpu=True
    ),
}
