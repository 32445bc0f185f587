"""Interface of a training task, the same for pretext tasks and fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .networks import Segmenter

Batch = dict[str, Tensor]
Drawn = dict[str, Tensor]  # names are paths, such as augment/gamma/exponent

# What a program has to know itself, not a GPU: the last parts of such names.
KEPT_ON_CPU = ("index", "seeds", "corners", "flips", "plan")


def under(place: str, drawn: Drawn) -> Drawn:
    """The same draws under a longer path."""
    return {f"{place}/{name}": value for name, value in drawn.items()}


def within(place: str, batch: Batch) -> Drawn:
    """The draws of a batch that stand under a path, without it."""
    return {
        name.removeprefix(f"{place}/"): value
        for name, value in batch.items()
        if name.startswith(f"{place}/")
    }


class Task(nn.Module):
    """A network, what it is shown, and the loss that it minimises; nothing else.

    of_whole_batch: the loss compares the samples of a batch with each other, so that a batch can't
    be learnt from in parts.
    """

    of_whole_batch = False

    def draw(self, indices: Sequence[int], seed: int) -> Drawn:
        """Draw all that is random in what is done to these samples: parameters, masks, seeds.

        A function of `seed` and the indices; called where batches are made, which may be another
        process, and on the CPU. Fields of noise are drawn from seeds, on the device.
        """
        return {}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return scalars; `loss` is minimised, the others are logged.

        batch: raw voxels and what `draw` has drawn for them.
        """
        raise NotImplementedError

    def sums(self, batch: Batch) -> Tensor | None:
        """Sums over a batch that its loss is a function of; None: it is a mean over samples.

        Where a batch is learnt from in parts, `losses` finds the whole batch's in `totals`.
        """
        return None

    def after_step(self, progress: float) -> None:
        """Update what is not learnt by gradients (EMA teachers); `progress` runs in (0, 1]."""

    @torch.no_grad()
    def trivial_loss(self, batch: Batch) -> float | None:
        """The loss of a predictor that has learnt nothing on `batch`; None if undefined."""
        return None

    def trained_network(self) -> Segmenter:
        """The network that is kept when training ends."""
        raise NotImplementedError
