"""A mask with what metrics need of it, each computed at the first use and kept."""

from __future__ import annotations

from functools import cached_property

import cc3d
import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import KDTree

from ...system.errors import InputError
from . import bits
from .skeleton import innermost_voxels, lee_skeleton
from .skeleton_graph import SkeletonGraph

VoxelSize = tuple[float, float, float]


class PreparedMask:
    """An immutable binary mask (Z,Y,X): what is > 0 in the array that it is made from.

    Work is done in the mask's bounding box; flat indices are those of the whole image, ascending.
    """

    def __init__(self, mask: ArrayLike) -> None:
        mask = np.asarray(mask)
        if mask.ndim != 3:
            raise InputError(f"mask: expected three axes (Z,Y,X), found shape {mask.shape}")
        self.array: np.ndarray = mask > 0
        self.array.flags.writeable = False
        self.shape: tuple[int, int, int] = self.array.shape
        self._surface_trees: dict[VoxelSize, KDTree] = {}

    @cached_property
    def words(self) -> np.ndarray:
        """One bit a voxel; see `bits.pack`."""
        return bits.pack(self.array)

    @cached_property
    def grown_words(self) -> np.ndarray:
        """The mask and its voxels' six neighbours, one bit a voxel; see `bits.grown`."""
        return bits.grown(self.words)

    @cached_property
    def voxels(self) -> int:
        """Number of foreground voxels."""
        return bits.count(self.words)

    @cached_property
    def box(self) -> bits.Box:
        """The mask's bounding box."""
        return bits.bounding_box(self.words)

    @cached_property
    def _padded(self) -> np.ndarray:
        """The mask in its bounding box and one layer of background around that."""
        return np.pad(self.array[self.box], 1)

    @cached_property
    def _labels(self) -> tuple[np.ndarray, int]:
        # Not without the layer around: cc3d 4.1 raises on arrays of few, odd sides (1×1×3).
        return cc3d.connected_components(
            self._padded, connectivity=26, binary_image=True, return_N=True
        )

    @property
    def labels(self) -> np.ndarray:
        """26-connected components, numbered from 1 in scan order: shape of the box, padded by 1."""
        return self._labels[0]

    @property
    def objects(self) -> int:
        """Number of 26-connected components."""
        return self._labels[1]

    @cached_property
    def _labelled(self) -> tuple[np.ndarray, np.ndarray]:
        """Flat indices of the foreground in the padded box, and the component of each."""
        foreground = np.flatnonzero(self._padded)
        return foreground, self.labels.reshape(-1)[foreground]

    @cached_property
    def object_voxels(self) -> np.ndarray:
        """Voxels of each component, first to last."""
        _, labels = self._labelled
        return np.bincount(labels, minlength=self.objects + 1)[1:]

    @cached_property
    def centroids(self) -> np.ndarray:
        """Centres of mass (n, 3) of the components, first to last, in voxels (z,y,x)."""
        foreground, labels = self._labelled
        sums = [
            np.bincount(labels, weights=position, minlength=self.objects + 1)[1:]
            for position in np.unravel_index(foreground, self._padded.shape)
        ]
        corner = [s.start - 1 for s in self.box]
        return np.stack(sums, axis=1) / self.object_voxels[:, None] + corner

    def labels_at(self, position: tuple[np.ndarray, ...]) -> np.ndarray:
        """Components of the foreground voxels at (z, y, x)."""
        return self.labels[tuple(p - s.start + 1 for p, s in zip(position, self.box, strict=True))]

    @cached_property
    def betti(self) -> tuple[int, int, int]:
        """Components, tunnels and cavities: 26-connected foreground, 6-connected background, the
        outside of the image being background. From the Euler number: χ = β0 − β1 + β2."""
        _, regions = cc3d.connected_components(
            ~self._padded, connectivity=6, binary_image=True, return_N=True
        )
        cavities = regions - 1
        return self.objects, self.objects + cavities - bits.euler_number(self.words), cavities

    @cached_property
    def skeleton(self) -> np.ndarray:
        """Flat indices of the 3D Lee skeleton."""
        return self._in_image(lee_skeleton(self._padded, planar=self.shape[0] == 1))

    @cached_property
    def whole_skeleton(self) -> np.ndarray:
        """`skeleton`, and the innermost voxel of each component that has no skeleton voxel."""
        components = np.arange(1, self.objects + 1)
        with_skeleton = self.labels_at(np.unravel_index(self.skeleton, self.shape))
        without = np.setdiff1d(components, with_skeleton)
        if not without.size:
            return self.skeleton
        return np.union1d(self.skeleton, self._in_image(innermost_voxels(self.labels, without)))

    @cached_property
    def skeleton_graph(self) -> SkeletonGraph:
        """Neighbours in the skeleton."""
        return SkeletonGraph.of(self.skeleton, self.shape)

    @cached_property
    def surface(self) -> np.ndarray:
        """Flat indices of voxels with a background voxel, or the image's end, at a face."""
        return self._in_image(np.flatnonzero(_surface(self._padded)))

    def surface_tree(self, spacing: VoxelSize) -> KDTree:
        """The surface's voxel centres, in units of `spacing` (z,y,x), for nearest-point queries."""
        if spacing not in self._surface_trees:
            # Sorted lattice points need no balancing; without it a tree is built in a third.
            self._surface_trees[spacing] = KDTree(
                self.positions(self.surface, spacing),
                leafsize=32,
                compact_nodes=False,
                balanced_tree=False,
            )
        return self._surface_trees[spacing]

    def positions(self, voxels: np.ndarray, spacing: VoxelSize) -> np.ndarray:
        """Centres (n, 3) of the voxels at flat indices, in units of `spacing` (z,y,x)."""
        return np.stack(np.unravel_index(voxels, self.shape), axis=1) * np.asarray(spacing)

    def _in_image(self, voxels: np.ndarray) -> np.ndarray:
        """Flat indices of the padded box as those of the image."""
        position = np.unravel_index(voxels, self._padded.shape)
        return np.ravel_multi_index(
            tuple(p + s.start - 1 for p, s in zip(position, self.box, strict=True)), self.shape
        )


def _surface(padded: np.ndarray) -> np.ndarray:
    inside = padded.copy()
    for axis in range(3):
        along, inside_along = np.moveaxis(padded, axis, 0), np.moveaxis(inside, axis, 0)
        inside_along[1:] &= along[:-1]
        inside_along[:-1] &= along[1:]
    return padded & ~inside


def prepare_truth(mask: ArrayLike | PreparedMask) -> PreparedMask:
    """A mask whose skeleton, components and Betti numbers are computed once for all metrics.

    So a truth can be prepared once for many predictions. mask: (Z,Y,X), foreground > 0. Raises
    InputError for another number of axes.
    """
    return mask if isinstance(mask, PreparedMask) else PreparedMask(mask)
