"""Steps that a GPU has no memory for: one line that says what would fit."""

from __future__ import annotations

import torch

from ...system.errors import GpuMemoryError
from ..device import is_out_of_memory
from ..distributed import world
from .batches import drawn_batch
from .learner import Learner
from .training_parts import Training


def learn(training: Training, learner: Learner, parts: list, step: int) -> list:
    """Take a step (Learner.learn); GpuMemoryError where the GPU has too little memory for it."""
    try:
        return learner.learn(parts, step)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        # Left before anything is tried: the error holds on to what was allocated.
    raise GpuMemoryError(f"{needs_more(training)} ({_what_fits(training, learner)})")


def needs_more(training: Training) -> str:
    """The line that says which training its GPU has too little memory for."""
    settings, compute = training.settings, training.compute
    memory = ""
    if compute.device.type == "cuda":
        known = torch.cuda.get_device_properties(compute.device)
        memory = f" the {known.total_memory / 2**30:.0f} GiB of {known.name}"
    window = "×".join(str(n) for n in training.record["input"]["window"])
    return (
        f"GPU out of memory: batch {settings.batch} of windows {window} on {world()} GPU(s), "
        f"accumulate {settings.accumulate}: needs more than{memory or ' there is'}"
    )


def _what_fits(training: Training, learner: Learner) -> str:
    """The setting nearest to the recipe's with which a part of a batch can be learnt from."""
    settings, task = training.settings, training.task
    key = "batch" if task.of_whole_batch else "accumulate"
    if world() > 1:  # the other processes would wait for this one
        return f"a smaller batch, or more GPUs{'' if task.of_whole_batch else ', or accumulate'}"
    for parts in range(settings.accumulate + 1, settings.batch + 1):
        if settings.batch % parts:
            continue
        size = settings.batch // parts
        batch = drawn_batch(
            training.sampler, lambda own: task.draw(own, training.seed), range(size)
        )
        if learner.fits(training.compute.move(batch)):
            return f"{key}: {size if task.of_whole_batch else parts} fits"
    return "not even one window fits: take a smaller window or a larger GPU, and run make gpu-check"
