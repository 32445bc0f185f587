"""The parts of one training: task, samples, validation, settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...challenge.recipe import Optimisation
from ...system.stop import Stop
from ..device import Compute
from ..sampling import Sampler
from ..task import Task
from .batches import Batches
from .optimisation import Group
from .weight_files import FinetuningRecord, PretrainingRecord


class Validator:
    """Validation at evenly spaced steps, the last one among them; a resume needs what it found."""

    def __init__(self, steps: int, number: int, found: Mapping[str, Any]) -> None:
        self._due = {round(steps * (n + 1) / number) for n in range(number)}
        self.found = found

    def due(self, step: int) -> bool:
        """Whether to validate after `step` steps."""
        return step in self._due

    def validate(self, step: int, stop: Stop) -> dict[str, float] | None:
        """Values for the history; None if `stop` was requested before they were complete."""
        raise NotImplementedError

    @property
    def collapsed(self) -> bool:
        """Whether nothing has been learnt."""
        raise NotImplementedError


@dataclass
class Training:
    """One training: a task, its samples, its validation, and the settings of its loop.

    record: everything that decides the result, see checkpoint.py. groups: parameters with their
    share of the learning rate; None: all parameters alike. part: number of this training, and how
    many like it the job consists of. threads: of the CPU, all but two of which feed a GPU where
    the recipe says nothing of workers.
    """

    task: Task
    sampler: Sampler
    validator: Validator
    settings: Optimisation
    learning_rate: float
    compute: Compute
    seed: int
    folder: Path
    record: PretrainingRecord | FinetuningRecord
    groups: list[Group] | None = None
    part: tuple[int, int] = (0, 1)
    threads: int = 1

    def batches(self, start: int = 0) -> Batches:
        """Its batches from a step on, drawn, on the device."""
        feeding = self.threads - 2 if self.compute.device.type != "cpu" else 0
        return Batches(
            self.sampler,
            self.settings,
            self.compute,
            draw=lambda indices: self.task.draw(indices, self.seed),
            start=start,
            workers=max(0, feeding),
        )
