"""Neighbours in a skeleton, from which its length and its branch points follow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# One of each two opposite steps to a voxel's 26 neighbours.
STEPS = tuple(step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0))


@dataclass(frozen=True, eq=False)
class SkeletonGraph:
    """Neighbouring (26) voxels of a skeleton.

    voxels: how many there are. pairs: of each of STEPS, (m, 2) positions in the list of voxels.
    """

    voxels: int
    pairs: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, skeleton: np.ndarray, shape: tuple[int, int, int]) -> SkeletonGraph:
        """The graph of a skeleton's flat indices, which ascend, in an image of a shape (Z,Y,X)."""
        position = np.stack(np.unravel_index(skeleton, shape), axis=1) + 1
        frame = np.asarray(shape) + 2  # a step off one end of a row must not land on the next row
        strides = np.array([frame[1] * frame[2], frame[2], 1])
        voxels = position @ strides
        pairs = []
        for step in STEPS:
            ahead = voxels + np.dot(step, strides)
            where = np.minimum(np.searchsorted(voxels, ahead), max(len(voxels) - 1, 0))
            (found,) = np.nonzero(voxels[where] == ahead) if len(voxels) else (np.empty(0, int),)
            pairs.append(np.stack([found, where[found]], axis=1))
        return cls(len(voxels), tuple(pairs))

    def length(self, spacing: tuple[float, float, float]) -> float:
        """Sum of the distances between all neighbouring voxels, in units of `spacing` (z,y,x).

        Where three voxels of a branching touch each other all three distances count.
        """
        return sum(
            math.hypot(*np.multiply(step, spacing)) * len(pairs)
            for step, pairs in zip(STEPS, self.pairs, strict=True)
        )

    @cached_property
    def branch_points(self) -> int:
        """Voxels with more than two neighbours; those that touch each other count as one."""
        pairs = np.concatenate(self.pairs)
        degree = np.bincount(pairs.ravel(), minlength=self.voxels)
        branching = degree > 2
        among = pairs[branching[pairs].all(axis=1)]
        joined = coo_array((np.ones(len(among)), among.T), shape=(self.voxels, self.voxels))
        groups, group = connected_components(joined, directed=False)
        return int(np.unique(group[branching]).size) if groups else 0
