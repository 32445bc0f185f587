"""Neighbours in a skeleton, from which its length and its branch points follow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree


@dataclass(frozen=True, eq=False)
class SkeletonGraph:
    """Neighbouring (26) voxels of a skeleton.

    positions: (n, 3) its voxels (z,y,x) in scan order. pairs: (m, 2) places in that list, ascending
    within a pair.
    """

    positions: np.ndarray
    pairs: np.ndarray

    @classmethod
    def of(cls, skeleton: np.ndarray, shape: tuple[int, int, int]) -> SkeletonGraph:
        """The graph of a skeleton's flat indices, which ascend, in an image of a shape (Z,Y,X)."""
        positions = np.stack(np.unravel_index(skeleton, shape), axis=1)
        return cls(positions, KDTree(positions).query_pairs(1, p=np.inf, output_type="ndarray"))

    def length(self, spacing: tuple[float, float, float]) -> float:
        """Sum of the distances between all neighbouring voxels, in units of `spacing` (z,y,x).

        Where three voxels of a branching touch each other all three distances count.
        """
        first, second = self.positions[self.pairs.T]
        steps, counts = np.unique(second - first, axis=0, return_counts=True)
        return sum(
            math.hypot(*np.multiply(step, spacing)) * count
            for step, count in zip(steps, counts, strict=True)
        )

    @cached_property
    def branch_points(self) -> int:
        """Voxels with more than two neighbours; those that touch each other count as one."""
        voxels, pairs = len(self.positions), self.pairs
        branching = np.bincount(pairs.ravel(), minlength=voxels) > 2
        among = pairs[branching[pairs].all(axis=1)]
        joined = coo_array((np.ones(len(among)), among.T), shape=(voxels, voxels))
        groups, group = connected_components(joined, directed=False)
        return int(np.unique(group[branching]).size) if groups else 0
