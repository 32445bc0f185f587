"""A prediction beside its truth, with what several metrics share, each computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...system.errors import InputError
from . import bits
from .matching import matched_dice
from .prepared import PreparedMask, VoxelSize


@dataclass(frozen=True)
class Comparison:
    """Truth and prediction of one case; `voxel_size_um` (z,y,x) is None where it is unknown.

    Raises InputError where the shapes differ.
    """

    truth: PreparedMask
    prediction: PreparedMask
    voxel_size_um: VoxelSize | None = None

    def __post_init__(self) -> None:
        if self.truth.shape != self.prediction.shape:
            raise InputError(
                f"prediction: expected the truth's shape {self.truth.shape}, "
                f"found {self.prediction.shape}"
            )

    @property
    def spacing(self) -> VoxelSize:
        """Voxel size (z,y,x) in micrometres, or of one voxel where it is unknown."""
        return spacing_of(self.voxel_size_um)

    @cached_property
    def shared_voxels(self) -> int:
        """Voxels that are foreground in both."""
        return bits.count(self.truth.words & self.prediction.words)

    @cached_property
    def matched_dice(self) -> np.ndarray:
        """Dice of each pair of objects of both, matched one to one."""
        return matched_dice(self.truth, self.prediction)

    @cached_property
    def surface_distances(self) -> tuple[np.ndarray, np.ndarray]:
        """Distances of the truth's surface voxels to the predicted surface, and back.

        In micrometres, or voxels; both empty where one of the masks is.
        """
        if not (self.truth.voxels and self.prediction.voxels):
            return np.empty(0), np.empty(0)
        return (
            self._distances(self.truth, self.prediction),
            self._distances(self.prediction, self.truth),
        )

    def _distances(self, source: PreparedMask, target: PreparedMask) -> np.ndarray:
        distances = np.zeros(source.surface.size)
        apart = np.flatnonzero(~np.isin(source.surface, target.surface, assume_unique=True))
        points = source.positions(source.surface[apart], self.spacing)
        distances[apart] = target.surface_tree(self.spacing).query(points)[0]
        return distances


def spacing_of(voxel_size_um: VoxelSize | None) -> VoxelSize:
    """Voxel size (z,y,x) in micrometres; (1, 1, 1), so that lengths are in voxels, if unknown."""
    return (1.0, 1.0, 1.0) if voxel_size_um is None else tuple(map(float, voxel_size_um))
