"""Masks as HDF5: of the test cases by one run, and of a whole volume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from ..system.errors import InputError
from .hdf5_writing import new_file
from .storage import LazyFile, Slices, VoxelSize, reading, voxel_size_of, whole, write_array


class PredictionFile(LazyFile):
    """A `predictions/<method>/<structure>/<run>.h5`."""

    kinds = ("predictions",)

    @property
    @reading
    def ids(self) -> list[str]:
        """Case ids, sorted."""
        return list(self.file)

    def mask(self, case: str) -> np.ndarray:
        """(Z,Y,X) uint8 {0,1}."""
        mask = self.dataset(f"{case}/mask")
        if mask is None:
            raise InputError(
                f"{self.path}: expected a mask of case {case!r}, found cases {self.ids}"
            )
        return whole(mask, self.path)

    def probability(self, case: str) -> np.ndarray | None:
        """(Z,Y,X) float16 in [0,1]; None where the method gives none."""
        probability = self.dataset(f"{case}/probability")
        return None if probability is None else whole(probability, self.path)

    def disagreement(self, case: str) -> np.ndarray | None:
        """(Z,Y,X) float16 in [0,1]: where members of an ensemble differ; None of single models."""
        disagreement = self.dataset(f"{case}/disagreement")
        return None if disagreement is None else whole(disagreement, self.path)


class PredictionWriter:
    """Writes the predictions of one run; the file appears when the block ends without an error."""

    def __init__(self, path: str | Path, method: str, structure: str, run: str) -> None:
        self.path = Path(path)
        self._names = {"method": method, "structure": structure, "run": run}

    def __enter__(self) -> Self:
        self._opened = new_file(self.path, "predictions", self._names)
        self._file = self._opened.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._opened.__exit__(*error)

    def add(
        self,
        case: str,
        mask: np.ndarray,
        probability: np.ndarray | None = None,
        provenance: Mapping[str, str | int] | None = None,
        disagreement: np.ndarray | None = None,
    ) -> None:
        """Add one case: `mask` (Z,Y,X) of 0 and 1 or bool; the other arrays (Z,Y,X) in [0,1]."""
        if mask.ndim != 3 or not np.isin(np.unique(mask), (0, 1)).all():
            raise InputError(
                f"{self.path}: {case}: expected a (Z,Y,X) mask of 0 and 1, "
                f"found shape {mask.shape}, values {np.unique(mask)[:4].tolist()}"
            )
        group = self._file.create_group(case)
        write_array(group, "mask", mask.astype(np.uint8))
        for name, values in (("probability", probability), ("disagreement", disagreement)):
            if values is not None:
                write_array(group, name, values.astype(np.float16))
        group.attrs.update(provenance or {})


class SegmentationFile(LazyFile):
    """A `segmentations/<method>/<structure>/<sample>.h5`: `mask` and, if asked, `probability`."""

    kinds = ("segmentation",)

    @property
    @reading
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
    @reading
    def voxel_size_um(self) -> VoxelSize | None:
        """(z,y,x) in micrometres; None when unknown."""
        return voxel_size_of(self.file)

    @reading
    def read(self, slices: Slices) -> np.ndarray:
        """The mask's (Z,Y,X) region `slices`."""
        return self.mask[slices]


class InstanceFile(LazyFile):
    """A `segmentations/<method>/<structure>/<sample>.labels.h5`: the number of each object."""

    kinds = ("instances",)

    @property
    def labels(self) -> h5py.Dataset:
        """uint32 (Z,Y,X), on disk: ids from 1, 0 where there is none."""
        return self.dataset("labels")

    @property
    def component(self) -> np.ndarray:
        """The connected component of each object, from 1, in the order of ids."""
        return self.dataset("component")[()]

    @property
    def voxel_size_um(self) -> VoxelSize | None:
        """(z,y,x) in micrometres; None when unknown."""
        return voxel_size_of(self.file)

    @property
    def method(self) -> str:
        """How objects that touch were told apart: `components` (not at all) or `watershed`."""
        return str(self.file.attrs["method"])

    @property
    def depth(self) -> float:
        """By how much the distance to the background must fall between two, in voxel edges."""
        return float(self.file.attrs["depth"])

    @property
    def unsplit(self) -> int:
        """Components that were too large to be split."""
        return int(self.file.attrs["unsplit"])
