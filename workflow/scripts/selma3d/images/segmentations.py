"""The mask of a whole volume: reading regions of it."""

from __future__ import annotations

import h5py
import numpy as np

from .storage import LazyFile, Slices, VoxelSize, voxel_size_of


class SegmentationFile(LazyFile):
    """A `segmentations/<method>/<structure>/<sample>.h5`: `mask` and, if asked, `probability`."""

    kinds = ("segmentation",)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(Z,Y,X)."""
        return self.mask.shape

    @property
    def mask(self) -> h5py.Dataset:
        """uint8 {0,1} (Z,Y,X), on disk."""
        return self.dataset("mask")

    @property
    def probability(self) -> h5py.Dataset | None:
        """float16 (Z,Y,X) in [0,1], on disk; 0 in air; None where it was not asked for."""
        return self.dataset("probability")

    @property
    def voxel_size_um(self) -> VoxelSize | None:
        """(z,y,x) in micrometres; None when unknown."""
        return voxel_size_of(self.file)

    def read(self, slices: Slices) -> np.ndarray:
        """The mask's (Z,Y,X) region `slices`."""
        return self.mask[slices]
