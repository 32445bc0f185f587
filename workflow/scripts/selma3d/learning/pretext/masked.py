"""Masked reconstruction: hide blocks of an image and fill them in.

On convolutional networks as the Zhejiang team did (regions set to zero), and on transformers by
hiding the voxels of their patches (SimMIM, arXiv 2111.09886).
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ...system.randomness import normal
from ..networks import Segmenter
from ..networks.options import Share, Size
from ..task import Batch
from .base import Windows, generators
from .blocks import LearntBlock, grid_of, hidden_blocks, mean_of_visible, voxelwise
from .reconstruction import Distance, Reconstruction


class Masked(Reconstruction):
    """Predict hidden blocks; judged on hidden voxels only.

    block: (z,y,x) voxels; ratio: share of the blocks that is hidden; fill: zeros, noise with the
    mean and deviation of the image's visible voxels, or a learnt block. The trivial predictor
    fills in the mean of the visible blocks around: in sparse tissue most of a loss is background,
    which that predicts as well.
    """

    def __init__(
        self,
        network: Segmenter,
        windows: Windows,
        *,
        block: Size = (8, 8, 8),
        ratio: Share = 0.6,
        fill: Literal["zero", "noise", "learned"] = "zero",
        distance: Distance = "l2",
    ) -> None:
        super().__init__(network, windows, distance)
        self._block, self._ratio, self._fill = block, ratio, fill
        self._grid = grid_of(windows.size, block)
        if fill == "learned":
            self.learnt = LearntBlock(block)

    def corrupt(self, clean: Tensor, batch: Batch, seed: int) -> tuple[Tensor, Tensor]:
        drawn = hidden_blocks(generators(batch, seed, "masked"), self._grid, self._ratio)
        hidden = voxelwise(drawn.to(clean.device), self._block)
        return clean * (1 - hidden) + self._filling(clean, hidden, batch, seed) * hidden, hidden

    def guesses(self, clean: Tensor, seen: Tensor, judged: Tensor) -> list[Tensor]:
        hidden = judged[:, :, :: self._block[0], :: self._block[1], :: self._block[2]]
        return [mean_of_visible(clean, hidden, self._block)]

    def _filling(self, clean: Tensor, hidden: Tensor, batch: Batch, seed: int) -> Tensor | float:
        if self._fill == "zero":
            return 0.0
        if self._fill == "learned":
            return self.learnt(clean)
        drawn = generators(batch, seed, "masked/noise", clean.device)
        visible, axes = 1 - hidden, (1, 2, 3, 4)
        count = visible.sum(dim=axes, keepdim=True)
        mean = (clean * visible).sum(dim=axes, keepdim=True) / count
        variance = ((clean - mean).square() * visible).sum(dim=axes, keepdim=True) / count
        return mean + variance.sqrt() * normal(drawn, *clean.shape[1:])


TASK = Masked
