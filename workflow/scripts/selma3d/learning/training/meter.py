"""Measurements of the loop: losses, rate, time spent waiting for data."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..distributed import mean
from .history import History
from .training_parts import Training

log = logging.getLogger(__name__)


REPEATED = 20  # steps in a row: a loss that is scaled for fp16 may start 16 times too high


class DivergedError(Exception):
    """Gradients or weights are no longer finite; the newest checkpoint is from before."""


class Meter:
    """Collects the scalars of steps on the device and reads them every `log_every` steps.

    Reading waits for a GPU; noting does not.
    """

    def __init__(self, history: History, training: Training) -> None:
        self._history, self._settings = history, training.settings
        self._learning_rate = training.learning_rate
        self._noted: list[dict[str, Tensor]] = []
        self._since = time.monotonic()
        self._waited = self._elsewhere = 0.0
        self._steps = 0
        self._told = 0.0  # of the steps that were left out

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

    def stepped(self, step: int, losses: list[dict[str, Tensor]], skipped: Tensor) -> None:
        """Keep the scalars of a step, by part, unread; write the means over steps when due.

        skipped: steps that were left out, all and the latest in a row. Values that are not finite
        do not count for a mean.
        """
        self._noted += losses
        self._steps += 1
        if step % self._settings.log_every and step != self._settings.steps:
            return
        self.check_skipped(step, skipped)
        names = list(self._noted[0])
        stacked = torch.stack(
            [torch.stack([noted[n].float() for n in names]) for noted in self._noted]
        )
        finite = torch.where(stacked.isfinite(), stacked, torch.nan)
        values = dict(zip(names, mean(finite.nanmean(dim=0)).tolist(), strict=True))
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

    def check_skipped(self, step: int, skipped: Tensor) -> None:
        """Tell of steps that were left out; raise DivergedError where they repeat."""
        total, latest = skipped.tolist()
        if total > self._told:
            log.warning("step %d: %d steps left out: gradients not finite", step, total)
            self._history.write(step, {"skipped_steps": total})
            self._told = total
        if latest >= REPEATED:
            self._history.write(step, {"diverged": 1.0})
            raise DivergedError(
                f"step {step}: expected finite gradients, none in {latest:.0f} steps in a row "
                "(lower the learning rate, or train in fp32; the newest checkpoint is from before)"
            )
