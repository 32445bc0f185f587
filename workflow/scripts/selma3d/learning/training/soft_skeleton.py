"""Soft skeletons of masks, for clDice (arXiv 2003.07311), by operations that repeat on a GPU.

As MONAI's, which pools: the gradient of pooling differs from run to run on GPUs, and where several
voxels are the largest it goes to the first of them, here to all of them alike.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ITERATIONS = 3


def soft_skeleton(mask: Tensor) -> Tensor:
    """The soft skeleton of masks (B,1,Z,Y,X) in [0, 1]."""
    skeleton = F.relu(mask - _opened(mask))
    for _ in range(ITERATIONS):
        mask = _eroded(mask)
        further = F.relu(mask - _opened(mask))
        skeleton = skeleton + F.relu(further - skeleton * further)
    return skeleton


def _opened(mask: Tensor) -> Tensor:
    return _dilated(_eroded(mask))


def _eroded(mask: Tensor) -> Tensor:
    """The least of a voxel and its neighbours along each axis."""
    z, y, x = (-_largest(-mask, axis) for axis in (2, 3, 4))
    return torch.minimum(torch.minimum(z, y), x)


def _dilated(mask: Tensor) -> Tensor:
    """The largest of the 3³ voxels around each."""
    for axis in (2, 3, 4):
        mask = _largest(mask, axis)
    return mask


def _largest(values: Tensor, axis: int) -> Tensor:
    """The largest of each value and its two neighbours along an axis."""
    n = values.shape[axis]
    if n == 1:
        return values
    pairs = torch.maximum(values.narrow(axis, 0, n - 1), values.narrow(axis, 1, n - 1))
    first, last = pairs.narrow(axis, 0, 1), pairs.narrow(axis, n - 2, 1)
    inner = torch.maximum(pairs.narrow(axis, 0, n - 2), pairs.narrow(axis, 1, n - 2))
    return torch.cat([first, inner, last], axis)
