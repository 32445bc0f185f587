"""Images on another grid, part by part: equal to resampling the whole image at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..learning.windows import Size
from .blocks import Box


@dataclass(frozen=True)
class Resampling:
    """From one grid (Z,Y,X) to another over the same image, as `sampling.rescale` does it.

    By area where no axis grows, else trilinearly. Both weigh voxels axis by axis, so a part of the
    target takes three small matrices and the part of the source that they reach.
    """

    source: Size
    target: Size

    @classmethod
    def by_factors(cls, shape: Size, factors: Sequence[float] | None) -> Resampling:
        """To the grid of a recipe's `resample` (z,y,x); None: the image's own."""
        factors = factors or (1, 1, 1)
        grid = (max(1, round(n * factor)) for n, factor in zip(shape, factors, strict=True))
        return cls(tuple(shape), tuple(grid))

    @property
    def changes(self) -> bool:
        """Whether the grids differ."""
        return self.source != self.target

    @property
    def back(self) -> Resampling:
        """The other way round."""
        return Resampling(self.target, self.source)

    def needed(self, box: Box) -> Box:
        """The part of the source that a part of the target is computed from."""
        return tuple(side for side, _ in self._sides(box))

    def part(self, values: Tensor, box: Box) -> Tensor:
        """The target's part `box`, float32 (1,1,Z,Y,X), from `values` of the source's `needed`."""
        for axis, (_, weights) in enumerate(self._sides(box), start=2):
            if weights is not None:
                values = (values.movedim(axis, -1) @ weights.T).movedim(-1, axis)
        return values.contiguous()

    def occupied(self, occupied: np.ndarray, unit: int) -> np.ndarray:
        """Which cubes of `unit` voxels of the target touch tissue, from those of the source.

        With a margin of one voxel: resampled back, a voxel of tissue depends on no other cubes.
        """
        if not self.changes:
            return occupied
        for axis, length in enumerate(self.target):
            layers = []
            for start in range(0, length, unit):
                margin = slice(max(start - 1, 0), min(start + unit + 1, length))
                reach, _ = self._side(axis, margin)
                cubes = range(reach.start // unit, -(-reach.stop // unit))
                layers.append(occupied.take(cubes, axis).any(axis))
            occupied = np.stack(layers, axis)
        return occupied

    def _sides(self, box: Box) -> list[tuple[slice, Tensor | None]]:
        return [self._side(axis, side) for axis, side in enumerate(box)]

    def _side(self, axis: int, side: slice) -> tuple[slice, Tensor | None]:
        """The source's voxels along an axis, and their weights (target, source); None: as is."""
        source, target = self.source[axis], self.target[axis]
        if source == target:
            return side, None
        place = np.arange(side.start, side.stop)
        if all(t <= s for t, s in zip(self.target, self.source, strict=True)):
            first, last = place * source // target, -(-(place + 1) * source // target) - 1
            reach = slice(int(first[0]), int(last[-1]) + 1)
            voxel = np.arange(reach.start, reach.stop)
            inside = (voxel >= first[:, None]) & (voxel <= last[:, None])
            weights = inside / inside.sum(axis=1, keepdims=True)
        else:
            centre = np.clip((place + 0.5) * source / target - 0.5, 0, source - 1)
            first = centre.astype(int)
            reach = slice(int(first[0]), min(int(first[-1]) + 2, source))
            voxel = np.arange(reach.start, reach.stop)
            weights = np.clip(1 - np.abs(voxel - centre[:, None]), 0, 1)
        return reach, torch.from_numpy(weights.astype(np.float32))
