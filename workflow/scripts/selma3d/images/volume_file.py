"""Unannotated volumes: reading windows and slabs, and writing one that fits into memory."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from .hdf5_checks import attribute
from .hdf5_writing import new_file
from .index import IndexRow, content_hash, plane_hash, write_index
from .intensity import Intensity
from .occupancy import BLOCK, air_threshold, block_statistics
from .storage import (
    LazyFile,
    Slices,
    VoxelSize,
    describe,
    intensities_of,
    reading,
    voxel_size_of,
    write_array,
)


class VolumeFile(LazyFile):
    """A `volumes/<sample>.h5`: `image` (C,Z,Y,X), intensity constants, coarse occupancy map.

    Safe with forked workers.
    """

    kinds = ("volume",)

    @property
    @reading
    def channels(self) -> int:
        """Number of channels."""
        return self.dataset("image").shape[0]

    @property
    @reading
    def shape(self) -> tuple[int, int, int]:
        """(Z,Y,X)."""
        return self.dataset("image").shape[1:]

    @property
    @reading
    def dtype(self) -> np.dtype:
        """The stored integer type."""
        return self.dataset("image").dtype

    @property
    @reading
    def specimen(self) -> str:
        """The animal or organ; empty when unknown."""
        return str(attribute(self.file, "specimen"))

    @property
    @reading
    def voxel_size_um(self) -> VoxelSize | None:
        """(z,y,x) in micrometres; None when unknown."""
        return voxel_size_of(self.file)

    @property
    @reading
    def block(self) -> int:
        """Edge of an occupancy block in voxels."""
        return int(attribute(self.dataset("occupancy"), "block"))

    @reading
    def intensity(self, channel: int) -> Intensity:
        """Constants of one whole channel."""
        return intensities_of(self.file)[channel]

    @reading
    def read(self, channel: int, slices: Slices) -> np.ndarray:
        """The (Z,Y,X) window `slices` of one channel, in the stored integer type."""
        image = self.dataset("image")
        return image[(self.channel_of(image, channel), *slices)]

    @reading
    def occupancy(self, channel: int) -> np.ndarray:
        """Block means, float32 (z,y,x), raw units."""
        return self.dataset("occupancy")[channel, ..., 0]

    @reading
    def bright(self, channel: int) -> np.ndarray:
        """99th percentile of each block, float32 (z,y,x), raw units."""
        return self.dataset("occupancy")[channel, ..., 1]

    def tissue(self, channel: int) -> np.ndarray:
        """Blocks that are not air, bool (z,y,x); all True where air is not clearly apart."""
        return self.occupancy(channel) > self._air(channel)

    def occupied(self, channel: int) -> np.ndarray:
        """Blocks that may hold something, bool (z,y,x): tissue, and air with bright voxels in it.

        Stricter on air than `tissue`: where tissue itself is dark and bright, the two classes of
        block means are not air and tissue, but a dark block's brightest voxels tell.
        """
        return self.tissue(channel) | (self.bright(channel) > self._air(channel))

    @reading
    def _air(self, channel: int) -> float:
        return attribute(self.dataset("occupancy"), "air")[channel]


def write_volume(
    h5: str | Path,
    tsv: str | Path,
    image: np.ndarray,
    *,
    sample: str,
    specimen: str = "",
    voxel_size_um: VoxelSize | None = None,
) -> None:
    """Write a (C,Z,Y,X) image, uint8 or uint16, that fits into memory, and its index."""
    occupancy, counts = zip(*(block_statistics(channel) for channel in image), strict=True)
    intensity = [
        Intensity.from_counts(grey, blocks[..., 2:])
        for grey, blocks in zip(counts, occupancy, strict=True)
    ]
    planes = (plane_hash(plane) for channel in image for plane in channel)
    sha256 = content_hash(image.shape, image.dtype, planes)
    with new_file(h5, "volume") as handle:
        write_array(handle, "image", image)
        describe_volume(handle, specimen, voxel_size_um, intensity, np.stack(occupancy), sha256)
    row = IndexRow.of(sample, specimen, image.shape, voxel_size_um, intensity, None, sha256)
    write_index([row], tsv)


def describe_volume(
    handle: h5py.File,
    specimen: str,
    voxel_size_um: VoxelSize | None,
    intensity: list[Intensity],
    occupancy: np.ndarray,
    sha256: str,
) -> None:
    """Write all of a volume file but its image; `occupancy` is float32 (C,z,y,x,4)."""
    describe(handle, specimen, voxel_size_um, intensity)
    handle.attrs["sha256"] = sha256
    stored = handle.create_dataset("occupancy", data=occupancy.astype(np.float32))
    stored.attrs["block"] = BLOCK
    stored.attrs["air"] = [air_threshold(channel[..., 0]) for channel in occupancy]
