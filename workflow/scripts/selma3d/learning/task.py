"""Interface of a training task, the same for pretext tasks and fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .networks import Segmenter

Batch = dict[str, Tensor]


class Task(nn.Module):
    """A network, what it is shown, and the loss that it minimises; nothing else."""

    def losses(self, batch: Batch, seed: int) -> dict[str, Tensor]:
        """Return scalars; `loss` is minimised, the others are logged.

        All random draws are a function of `seed` and `batch["index"]`.
        """
        raise NotImplementedError

    def after_step(self, progress: float) -> None:
        """Update what is not learnt by gradients (EMA teachers); `progress` runs in (0, 1]."""

    @torch.no_grad()
    def trivial_loss(self, batch: Batch, seed: int) -> float | None:
        """The loss of a predictor that has learnt nothing on `batch`; None if undefined."""
        return None

    def trained_network(self) -> Segmenter:
        """The network that is kept when training ends."""
        raise NotImplementedError
