"""One optimisation step: network, optimiser, learning rate, averaged weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...system.randomness import numpy_generator
from ..distributed import rank, share_gradients
from ..sampling import Batch
from .optimisation import Average, build_optimiser
from .training_parts import Training


class Learner:
    """A task on its device, with its optimiser and the average of its network's weights."""

    def __init__(self, training: Training) -> None:
        task, settings, compute = training.task, training.settings, training.compute
        self._task, self._settings, self._compute = task, settings, compute
        self._seed, self._learning_rate = training.seed, training.learning_rate
        compute.place(task)
        groups = training.groups or [{"params": task.parameters()}]
        self._optimiser = build_optimiser(settings, training.learning_rate, groups)
        self._scaler = compute.gradient_scaler()
        self.average = Average(task.trained_network(), settings.average)
        if settings.compile:
            task.trained_network().compile()
        self._losses = share_gradients(task, compute.device)

    def learn(self, batch: Batch, step: int) -> list[dict[str, Tensor]]:
        """Take step number `step` (from 0) and return the scalars of each part of the batch."""
        settings = self._settings
        for group in self._optimiser.param_groups:
            group["lr"] = settings.rate(step) * group["scale"] * self._learning_rate
        torch.manual_seed(_dropout_seed(self._seed, step))
        noted = []
        for part in _parts(batch, settings.accumulate):
            with self._compute.autocast():
                losses = self._losses(part, self._seed)
            self._scaler.scale(losses["loss"] / settings.accumulate).backward()
            noted.append({name: value.detach() for name, value in losses.items()})
        self._scaler.unscale_(self._optimiser)
        torch.nn.utils.clip_grad_norm_(self._task.parameters(), settings.clip or math.inf)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._optimiser.zero_grad(set_to_none=True)
        self._task.after_step((step + 1) / settings.steps)
        self.average.update(step)
        return noted

    def state_dict(self) -> dict[str, Any]:
        """The state that a resume needs."""
        return {
            "task": self._task.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "average": self.average.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        self._task.load_state_dict(state["task"])
        self._optimiser.load_state_dict(state["optimiser"])
        if self._scaler.is_enabled() and state["scaler"]:  # empty at precisions without a scaler
            self._scaler.load_state_dict(state["scaler"])
        self.average.load(state["average"])


def _dropout_seed(seed: int, step: int) -> int:
    return int(numpy_generator(seed, "dropout", step, rank()).integers(2**62))


def _parts(batch: Batch, parts: int) -> list[Batch]:
    """Split a batch along its samples."""
    chunks = {name: tensor.chunk(parts) for name, tensor in batch.items()}
    return [{name: chunks[name][part] for name in batch} for part in range(parts)]
