"""Masked reconstruction of shuffled voxels: a negative control, without any form to learn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...system.randomness import uniform_of
from ..task import Drawn, under
from .base import seeds
from .masked import Masked


class Shuffled(Masked):
    """As `masked`, on windows whose voxels are in random order: their grey values, but no form.

    What such a pretraining gains is owed to brightness alone, or to chance. The seed of a sample
    decides its order, so that every step is the same after a resume.
    """

    def draw_augmentation(self, indices: Sequence[int], seed: int, purpose: str) -> Drawn:
        order = {"shuffled/seeds": seeds(seed, indices, "shuffled")}
        return super().draw_augmentation(indices, seed, purpose) | under(purpose, order)

    @staticmethod
    def augmented(images: Tensor, drawn: Drawn) -> Tensor:
        changed = Masked.augmented(images, drawn)
        flat = changed.flatten(1)
        order = uniform_of(drawn["shuffled/seeds"], images.device, flat.shape[1]).argsort(dim=1)
        return torch.gather(flat, 1, order).view_as(changed)


TASK = Shuffled
