"""Masked reconstruction: hide blocks of an image and fill them in.

On convolutional networks as the Zhejiang team did (regions set to zero), and on transformers by
hiding the voxels of their patches (SimMIM, arXiv 2111.09886).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from torch import Tensor

from ...challenge.recipe import Share, Size
from ...system.randomness import normal_of, torch_generators
from ..networks import Segmenter
from ..task import Batch, Drawn
from .base import Windows, seeds
from .blocks import LearntBlock, grid_of, hidden_blocks, mean_of_visible, voxelwise
from .reconstruction import Reconstruction


class Masked(Reconstruction):
    """Predict hidden blocks; the loss is that of hidden voxels only.

    The trivial predictor fills in the mean of the visible blocks around: in sparse tissue most of a
    loss is background, which that predicts as well.
    """

    class Options(Reconstruction.Options):
        block: Size = Field((8, 8, 8), description="voxels (z,y,x)")
        ratio: Share = Field(0.6, description="share of the blocks that is hidden")
        fill: Literal["zero", "noise", "learned"] = Field(
            "zero",
            description="zeros, noise with the mean and deviation of the image's visible voxels, "
            "or a learnt block",
        )

    def __init__(self, network: Segmenter, windows: Windows, options: Options) -> None:
        super().__init__(network, windows, options)
        self._block = options.block
        self._grid = grid_of(windows.size, options.block)
        if options.fill == "learned":
            self.learnt = LearntBlock(options.block)

    def draw_corruption(self, indices: Sequence[int], seed: int) -> Drawn:
        own = torch_generators(seed, indices, "masked")
        hidden = hidden_blocks(own, self._grid, self.options.ratio)
        return {"hidden": hidden, "noise/seeds": seeds(seed, indices, "masked/noise")}

    def corrupt(self, clean: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        hidden = voxelwise(batch["hidden"], self._block)
        return clean * (1 - hidden) + self._filling(clean, hidden, batch) * hidden, hidden

    def guesses(self, clean: Tensor, seen: Tensor, judged: Tensor) -> list[Tensor]:
        hidden = judged[:, :, :: self._block[0], :: self._block[1], :: self._block[2]]
        return [mean_of_visible(clean, hidden, self._block)]

    def _filling(self, clean: Tensor, hidden: Tensor, batch: Batch) -> Tensor | float:
        if self.options.fill == "zero":
            return 0.0
        if self.options.fill == "learned":
            return self.learnt(clean)
        visible, axes = 1 - hidden, (1, 2, 3, 4)
        count = visible.sum(dim=axes, keepdim=True)
        mean = (clean * visible).sum(dim=axes, keepdim=True) / count
        variance = ((clean - mean).square() * visible).sum(dim=axes, keepdim=True) / count
        noise = normal_of(batch["noise/seeds"], clean.device, *clean.shape[1:])
        return mean + variance.sqrt() * noise


TASK = Masked
