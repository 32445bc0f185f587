"""Blocks of voxels that are hidden from a network, and what it sees instead."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...system.errors import InputError
from ...system.randomness import uniform
from .base import Size


def grid_of(window: Size, block: Size) -> Size:
    """Number of blocks in a window (Z,Y,X); raises InputError where they don't fill it."""
    if any(n % b for n, b in zip(window, block, strict=True)):
        raise InputError(f"block: expected to divide the window {list(window)}, found {block}")
    return tuple(n // b for n, b in zip(window, block, strict=True))


def hidden_blocks(generators: Sequence[torch.Generator], grid: Size, ratio: float) -> Tensor:
    """Draw which blocks are hidden, (B,1,*grid) {0,1}: the same number in every sample.

    At least one is hidden and at least one is left.
    """
    order = uniform(generators, grid[0] * grid[1] * grid[2])
    count = min(max(round(ratio * order.shape[1]), 1), order.shape[1] - 1)
    hidden = torch.zeros_like(order).scatter_(1, order.topk(count, dim=1).indices, 1.0)
    return hidden.unflatten(1, (1, *grid))


def voxelwise(blocks: Tensor, block: Size) -> Tensor:
    """Give every voxel the value of its block: (B,1,z,y,x) -> (B,1,Z,Y,X)."""
    for axis, length in enumerate(block):
        blocks = blocks.repeat_interleave(length, dim=2 + axis)
    return blocks


class LearntBlock(nn.Module):
    """A learnt block of voxels that stands where the image is hidden.

    To a transformer whose patch it fills it is exactly a learnt mask token, and it works for
    convolutions alike.
    """

    def __init__(self, block: Size) -> None:
        super().__init__()
        self.voxels = nn.Parameter(0.02 * torch.randn(1, 1, *block))

    def forward(self, images: Tensor) -> Tensor:
        """Tile the block to the size of `images`."""
        repeats = [n // b for n, b in zip(images.shape[2:], self.voxels.shape[2:], strict=True)]
        return self.voxels.repeat(1, 1, *repeats)


def mean_of_visible(images: Tensor, hidden: Tensor, block: Size) -> Tensor:
    """Predict each block by the mean of the visible blocks among it and its 26 neighbours.

    images (B,1,Z,Y,X), hidden (B,1,z,y,x) {0,1}. Blocks with no visible neighbour take the mean
    of all visible ones. Returns (B,1,Z,Y,X).
    """
    visible = 1 - hidden
    means = _block_means(images, block) * visible
    everywhere = means.sum(dim=(2, 3, 4), keepdim=True) / visible.sum(dim=(2, 3, 4), keepdim=True)
    near, known = _sum_of_neighbours(means), _sum_of_neighbours(visible).round()
    guess = torch.where(known > 0, near / known.clamp(min=1), everywhere)
    return voxelwise(guess, block)


def _block_means(images: Tensor, block: Size) -> Tensor:
    """The mean of each block: a sum along axes, where pooling is slow for large blocks on GPUs."""
    z, y, x = block
    split = images.unflatten(4, (-1, x)).unflatten(3, (-1, y)).unflatten(2, (-1, z))
    return split.mean(dim=(3, 5, 7))


def _sum_of_neighbours(blocks: Tensor) -> Tensor:
    return F.avg_pool3d(F.pad(blocks, (1,) * 6), 3, stride=1, divisor_override=1)
