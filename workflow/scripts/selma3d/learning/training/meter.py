"""Measurements of the loop: losses, rate, time spent waiting for data."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..distributed import mean
from .history import History
from .training_parts import Training


class DivergedError(Exception):
    """The loss is no longer finite; the newest checkpoint is from before."""


class Meter:
    """Collects the scalars of steps on the device and reads them every `log_every` steps.

    Reading waits for a GPU; noting does not.
    """

    def __init__(self, history: History, training: Training) -> None:
        self._history, self._settings = history, training.settings
        self._learning_rate = training.learning_rate
        self._noted: list[dict[str, Tensor]] = []
        self._since = self._saved = time.monotonic()
        self._waited = self._elsewhere = 0.0
        self._steps = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time in here is spent waiting for data."""
        began = time.monotonic()
        yield
        self._waited += time.monotonic() - began

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Time in here is not training: saving, validation."""
        began = time.monotonic()
        yield
        self._elsewhere += time.monotonic() - began

    def stepped(self, step: int, losses: list[dict[str, Tensor]]) -> None:
        """Keep the scalars of a step, by part, unread; write the means over steps when due."""
        self._noted += losses
        self._steps += 1
        if step % self._settings.log_every and step != self._settings.steps:
            return
        self.check_finite(step)
        names = list(self._noted[0])
        stacked = torch.stack(
            [torch.stack([noted[n].float() for n in names]) for noted in self._noted]
        )
        values = dict(zip(names, mean(stacked.mean(dim=0)).tolist(), strict=True))
        elapsed = max(time.monotonic() - self._since - self._elsewhere, 1e-9)
        measured = {
            "learning_rate": self._settings.rate(step - 1) * self._learning_rate,
            "steps_per_s": self._steps / elapsed,
            "waiting": self._waited / elapsed,
        }
        self._history.write(step, values | measured)
        self._history.tell(step, {"loss": values["loss"], "waiting": measured["waiting"]})
        self._noted.clear()
        self._since, self._waited, self._elsewhere, self._steps = time.monotonic(), 0.0, 0.0, 0

    def check_finite(self, step: int) -> None:
        """Raise DivergedError, naming the step, if a loss since the last reading is not finite."""
        if not self._noted:
            return
        losses = torch.stack([noted["loss"].float() for noted in self._noted]).tolist()
        for number, loss in enumerate(losses):
            if not math.isfinite(loss):
                bad = step - (len(losses) - 1 - number) // self._settings.accumulate
                self._history.warn(bad, "diverged", f"the loss is {loss}")
                raise DivergedError(
                    f"step {bad}: expected a finite loss, found {loss} (lower the learning rate, "
                    "or train in fp32; the newest checkpoint is from before)"
                )
