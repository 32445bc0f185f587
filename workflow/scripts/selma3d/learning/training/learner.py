"""One optimisation step: network, optimiser, learning rate, averaged weights."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...system.errors import InputError
from ...system.randomness import numpy_generator
from ..device import is_out_of_memory
from ..distributed import rank, share_gradients, unshared, world
from ..networks import Segmenter
from ..task import Batch, Task
from .meter import DivergedError
from .optimisation import Average, build_optimiser
from .training_parts import Training


class Learner:
    """A task on its device, with its optimiser and the average of its network's weights.

    skipped: steps (all, and the latest in a row) that were left out, since their gradient was not
    finite; on the device, like the decision to leave one out.
    """

    def __init__(self, training: Training) -> None:
        task, settings, compute = training.task, training.settings, training.compute
        if task.of_whole_batch and settings.accumulate > 1:
            raise InputError(
                f"accumulate: expected 1 for a loss that compares the windows of a batch, found "
                f"{settings.accumulate} (for a larger batch: resources.training_gpus)"
            )
        together = world() * settings.accumulate
        if together > 1 and any(isinstance(each, nn.BatchNorm3d) for each in task.modules()):
            raise InputError(
                "network: norm batch: expected the windows of a batch together, found "
                f"{world()} processes × accumulate {settings.accumulate} (another norm, or "
                "resources.training_gpus and accumulate 1)"
            )
        self._task, self._settings, self._compute = task, settings, compute
        self._seed, self._learning_rate = training.seed, training.learning_rate
        compute.place(task)
        groups = training.groups or [{"params": task.parameters()}]
        on_gpu = compute.device.type == "cuda"
        self._optimiser = build_optimiser(settings, training.learning_rate, groups, fused=on_gpu)
        self._scaler = compute.gradient_scaler()
        self.skipped = torch.zeros(2, device=compute.device)
        self.average = Average(task.trained_network(), settings.average)
        if settings.compile:
            compile_networks(task)
        self._losses = share_gradients(task)

    def learn(self, parts: Sequence[Batch], step: int) -> list[dict[str, Tensor]]:
        """Take step number `step` (from 0) and return the scalars of each part of the batch.

        Nothing here waits for a GPU.
        """
        settings = self._settings
        for group in self._optimiser.param_groups:
            waits = group.get("waits", 0.0)  # a checkpoint of an earlier version has none
            group["lr"] = settings.rate(step, waits) * group["scale"] * self._learning_rate
        seed = _dropout_seed(self._seed, step)
        totals = self._totals(parts, seed)
        torch.manual_seed(seed)
        noted = []
        for number, part in enumerate(parts, start=1):
            # The processes share the gradients once, when that of the last part has come.
            with contextlib.nullcontext() if number == len(parts) else unshared(self._losses):
                with self._compute.autocast():
                    losses = self._losses(part | totals)
                loss = losses["loss"] if totals else losses["loss"] / len(parts)
                self._scaler.scale(loss).backward()
            noted.append({name: value.detach() for name, value in losses.items()})
        self._scaler.unscale_(self._optimiser)
        norm = torch.nn.utils.clip_grad_norm_(self._task.parameters(), settings.clip or math.inf)
        self._step_unless(~norm.isfinite())
        self._scaler.update()
        self._optimiser.zero_grad(set_to_none=True)
        self._task.after_step((step + 1) / settings.steps)
        self.average.update(step)
        return noted

    def fits(self, part: Batch) -> bool:
        """Whether the device has the memory to learn from so many samples at once; a trial."""
        self._optimiser.zero_grad(set_to_none=True)
        try:
            with self._compute.autocast():
                loss = self._losses(part)["loss"]
            loss.backward()
            return True
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return False
        finally:
            self._optimiser.zero_grad(set_to_none=True)
            if self._compute.device.type == "cuda":
                torch.cuda.empty_cache()

    def _totals(self, parts: Sequence[Batch], seed: int) -> Batch:
        """The whole batch's sums, which its parts' losses depend on; nothing where they don't."""
        if len(parts) == 1:
            return {}
        torch.manual_seed(seed)
        with torch.no_grad(), self._compute.autocast():
            sums = [self._task.sums(part) for part in parts]
        return {} if sums[0] is None else {"totals": torch.stack(sums).sum(dim=0)}

    def _step_unless(self, spoilt: Tensor) -> None:
        """Update the weights unless the gradient is `spoilt`, a truth value on the device."""
        number = spoilt.to(self.skipped.dtype)
        self.skipped.copy_(torch.stack([self.skipped[0] + number, (self.skipped[1] + 1) * number]))
        if self._compute.device.type == "cuda":
            self._optimiser.found_inf = number  # which fused optimisers look at, on the device
            self._optimiser.step()
        elif not spoilt:
            self._optimiser.step()

    def check_finite(self) -> None:
        """Raise DivergedError where a weight or the optimiser's state is not finite."""
        moments = [each for own in self._optimiser.state.values() for each in own.values()]
        tensors = [*self._task.state_dict().values(), *moments, *self.average.state.values()]
        finite = [
            each.isfinite().all()
            for each in tensors
            if isinstance(each, Tensor) and each.is_floating_point() and each.numel()
        ]
        if not all(torch.stack([each.to(self._compute.device) for each in finite]).tolist()):
            raise DivergedError(
                "expected finite weights, found NaN or infinity (lower the learning rate, or train "
                "in fp32; the newest checkpoint is from before)"
            )

    def state_dict(self) -> dict[str, Any]:
        """The state that a resume needs."""
        return {
            "task": self._task.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "skipped": self.skipped,
            "average": self.average.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        self._task.load_state_dict(state["task"])
        saved, own = state["optimiser"], self._optimiser.param_groups
        # A state says whether it was fused, on the GPU or CPU that it comes from: not of here.
        groups = [
            group | {"fused": here["fused"]}
            for group, here in zip(saved["param_groups"], own, strict=True)
        ]
        self._optimiser.load_state_dict(saved | {"param_groups": groups})
        if self._scaler.is_enabled() and state["scaler"]:  # empty at precisions without a scaler
            self._scaler.load_state_dict(state["scaler"])
        self.skipped.copy_(state.get("skipped", self.skipped))  # older states have none
        self.average.load(state["average"])


def compile_networks(task: Task) -> None:
    """Compile the parts of a task's networks that trainings call, the teacher's included."""
    for network in task.modules():
        if isinstance(network, Segmenter):
            network.encode = torch.compile(network.encode)
            network.decode = torch.compile(network.decode)


def _dropout_seed(seed: int, step: int) -> int:
    return int(numpy_generator(seed, "dropout", step, rank()).integers(2**62))
