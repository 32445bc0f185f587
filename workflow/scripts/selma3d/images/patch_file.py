"""Annotated patches and test cases: one HDF5 group each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np

from ..system.errors import InputError
from .geometry import Geometry
from .hdf5_checks import attribute
from .hdf5_writing import new_file
from .index import IndexRow, content_hash, plane_hash, write_index
from .intensity import Intensity
from .storage import (
    LazyFile,
    Slices,
    VoxelSize,
    describe,
    intensities_of,
    reading,
    voxel_size_of,
    whole,
    write_array,
)

KINDS = ("patches", "cases")


class PatchFile(LazyFile):
    """A `patches.h5` or `cases.h5`; safe with forked workers."""

    kinds = KINDS

    @property
    @reading
    def ids(self) -> list[str]:
        """Patch ids, sorted."""
        return list(self.file)

    @reading
    def image(self, patch: str, channel: int | None = None) -> np.ndarray:
        """All channels (C,Z,Y,X), or one (Z,Y,X), in the stored type."""
        image = self._image(patch)
        return (
            whole(image, self.path) if channel is None else image[self.channel_of(image, channel)]
        )

    def mask(self, patch: str) -> np.ndarray | None:
        """(Z,Y,X) uint8 {0,1}; None where the truth is hidden."""
        mask = self.dataset(f"{patch}/mask")
        return None if mask is None else whole(mask, self.path)

    @reading
    def read(self, patch: str, channel: int, slices: Slices) -> np.ndarray:
        """The (Z,Y,X) window `slices` of one channel."""
        image = self._image(patch)
        return image[(self.channel_of(image, channel), *slices)]

    @reading
    def read_mask(self, patch: str, slices: Slices) -> np.ndarray | None:
        """The (Z,Y,X) window `slices` of the mask; None where the truth is hidden."""
        mask = self.dataset(f"{patch}/mask")
        return None if mask is None else mask[slices]

    @reading
    def shape(self, patch: str) -> tuple[int, int, int]:
        """(Z,Y,X)."""
        return self._image(patch).shape[1:]

    @reading
    def specimen(self, patch: str) -> str:
        """The animal or organ; empty when unknown."""
        return str(attribute(self._group(patch), "specimen"))

    @reading
    def voxel_size_um(self, patch: str) -> VoxelSize | None:
        """(z,y,x) in micrometres; None when unknown."""
        return voxel_size_of(self._group(patch))

    @reading
    def intensity(self, patch: str, channel: int) -> Intensity:
        """Constants of one channel of the whole patch."""
        return intensities_of(self._group(patch))[channel]

    @reading
    def geometry(self, patch: str) -> Geometry | None:
        """Where the header of its image says that it lies; None where it says nothing."""
        stored = attribute(self._group(patch), "source_geometry")
        return None if stored is None else Geometry.read(json.loads(stored))

    @reading
    def attributes(self, patch: str) -> dict[str, Any]:
        """Everything recorded about a patch, its provenance too."""
        group = self._group(patch)
        return {name: attribute(group, name) for name in group.attrs}

    def _group(self, patch: str) -> h5py.Group:
        try:
            return self.file[patch]
        except KeyError:
            raise InputError(f"{self.path}: expected patch {patch!r}, found {self.ids}") from None

    def _image(self, patch: str) -> h5py.Dataset:
        image = self.dataset(f"{patch}/image")
        if image is None:
            self._group(patch)
            raise InputError(f"{self.path}: {patch}: expected a dataset 'image', found none")
        return image


class PatchWriter:
    """Writes a patch file and its index; both appear when the block ends without an error."""

    def __init__(
        self,
        h5: str | Path,
        tsv: str | Path,
        kind: str,
        *,
        drawn_from_split: str | None = None,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind: expected one of {KINDS}, found {kind!r}")
        self.h5, self.tsv, self._kind = Path(h5), Path(tsv), kind
        drawn = drawn_from_split is not None
        self._attributes = {"drawn_from_split": drawn_from_split} if drawn else {}

    def __enter__(self) -> Self:
        self._opened = new_file(self.h5, self._kind, self._attributes)
        self._file = self._opened.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        rows = [_index_row(group) for group in self._file.values()] if error[0] is None else []
        self._opened.__exit__(*error)
        if error[0] is None:
            write_index(rows, self.tsv)

    def add(
        self,
        patch: str,
        image: np.ndarray,
        mask: np.ndarray | None,
        specimen: str = "",
        voxel_size_um: VoxelSize | None = None,
        provenance: Mapping[str, str | int | float] | None = None,
    ) -> None:
        """Add one patch: `image` (C,Z,Y,X), `mask` (Z,Y,X) of 0 and 1, or None if hidden."""
        self._check(patch, image, mask)
        group = self._file.create_group(patch)
        write_array(group, "image", image)
        if mask is not None:
            mask = mask.astype(np.uint8)
            write_array(group, "mask", mask)
            group.attrs["foreground"] = float(mask.mean(dtype=np.float64))
        planes = (plane_hash(plane) for channel in image for plane in channel)
        group.attrs["sha256"] = content_hash(image.shape, image.dtype, planes, mask)
        describe(group, specimen, voxel_size_um, [Intensity.of(channel) for channel in image])
        for key, value in (provenance or {}).items():
            group.attrs[key] = value

    def copy(self, source: PatchFile, patch: str) -> None:
        """Add a patch of another file as it is stored."""
        self._check_name(patch)
        source.file.copy(source._group(patch), self._file, name=patch)

    def _check(self, patch: str, image: np.ndarray, mask: np.ndarray | None) -> None:
        self._check_name(patch)
        if image.ndim != 4:
            raise InputError(
                f"{self.h5}: {patch}: expected an image (C,Z,Y,X), found shape {image.shape}"
            )
        if mask is not None and mask.shape != image.shape[1:]:
            raise InputError(
                f"{self.h5}: {patch}: expected a mask of shape {image.shape[1:]}, "
                f"found {mask.shape}"
            )
        if mask is not None and mask.size and mask.max() > 1:
            raise InputError(f"{self.h5}: {patch}: expected a mask of 0 and 1, found {mask.max()}")

    def _check_name(self, patch: str) -> None:
        if not patch or "/" in patch or patch.startswith("."):
            raise InputError(
                f"{self.h5}: expected an id without '/' or leading '.', found {patch!r}"
            )
        if patch in self._file:
            raise InputError(f"{self.h5}: expected each id once, found {patch!r} again")


def _index_row(group: h5py.Group) -> IndexRow:
    foreground = group.attrs.get("foreground")
    return IndexRow.of(
        name=group.name.removeprefix("/"),
        specimen=group.attrs["specimen"],
        shape=group["image"].shape,
        voxel_size_um=voxel_size_of(group),
        intensity=intensities_of(group),
        foreground=None if foreground is None else float(foreground),
        sha256=group.attrs["sha256"],
    )
