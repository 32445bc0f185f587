"""Masked reconstruction of shuffled voxels: a negative control, without any form to learn."""

from __future__ import annotations

import torch
from torch import Tensor

from ...challenge.augmentation import Augmentation
from ...system.randomness import uniform
from ..task import Batch
from .base import generators
from .masked import Masked


class Shuffled(Masked):
    """As `masked`, on windows whose voxels are in random order: their grey values, but no form.

    What such a pretraining gains is owed to brightness alone, or to chance. The seed of a sample
    decides its order, so that every step is the same after a resume.
    """

    def augmented(
        self,
        images: Tensor,
        batch: Batch,
        seed: int,
        purpose: str,
        settings: Augmentation | None = None,
    ) -> Tensor:
        changed = super().augmented(images, batch, seed, purpose, settings)
        order = uniform(generators(batch, seed, "shuffled"), changed[0].numel()).argsort(dim=1)
        return torch.gather(changed.flatten(1), 1, order.to(changed.device)).view_as(changed)


TASK = Shuffled
