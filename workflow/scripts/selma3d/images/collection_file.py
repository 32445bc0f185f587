"""Collections: unannotated patches of several source volumes in one file, and reading windows.

A collection's `<sample>.h5` holds, for each source volume, `volumes/<number>` (its name, specimen
and intensity constants) and, for its patches of one shape and type, a stack `stacks/<number>`:
`image` (N,C,Z,Y,X), `occupancy` (N,C,z,y,x,2; mean and 99th percentile of each 32³ block),
`chances` (N,C,2; see `BlockChances`), and `names`, a line a patch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ..system.atomic import write_table
from ..system.errors import InputError
from .hdf5_checks import attribute
from .index import IndexRow
from .intensity import Intensity
from .occupancy import BLOCK
from .storage import (
    CHUNK,
    LazyFile,
    Slices,
    VoxelSize,
    intensities_of,
    reading,
    stored_here,
    voxel_size_of,
    whole,
)

KIND = "collection"


def patch_chunk(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Chunks of a stack (N,C,Z,Y,X): a patch cut evenly into pieces of at most 64³.

    A patch of 96³ becomes eight chunks of 48³; 64³ and what is left of it would be read for more.
    """
    return (1, 1, *(-(-size // -(-size // CHUNK)) for size in shape[-3:]))


@dataclass(frozen=True)
class BlockChances:
    """What the chance of a block depends on, of one channel of a source volume.

    air: the mean at or below which a block is air. middle: the median brightness of its tissue.
    tissue: blocks of tissue; above: the sum of what they are brighter than `middle`.
    """

    air: float
    middle: float
    tissue: float
    above: float

    def of(self, occupancy: np.ndarray, bias: float) -> np.ndarray:
        """The chance of each block (…,2: mean, 99th percentile) among all of the source volume.

        bias: the share that is drawn in proportion to brightness; the others are drawn alike.
        """
        tissue, above = self.parts(occupancy)
        return self.joined(tissue, above, bias)

    def parts(self, occupancy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether each block is tissue, and by how much it is brighter than the middle."""
        mean, bright = occupancy[..., 0], occupancy[..., 1]
        tissue = (mean > self.air) & (bright > 0)
        return tissue, np.where(tissue, np.maximum(bright - self.middle, 0), 0)

    def joined(self, tissue: np.ndarray, above: np.ndarray, bias: float) -> np.ndarray:
        """Chances from numbers of blocks of tissue and sums of brightness."""
        alike = tissue / self.tissue if self.tissue else np.full(tissue.shape, 1.0)
        return (1 - bias) * alike + bias * (above / self.above if self.above else alike)


@dataclass(frozen=True)
class Stack:
    """Patches of one source volume, of one shape (C,Z,Y,X)."""

    number: int
    patches: int
    shape: tuple[int, int, int, int]


class CollectionFile(LazyFile):
    """A `collections/<sample>.h5`. Safe with forked workers."""

    kinds = (KIND,)

    @cached_property
    @reading
    def volumes(self) -> tuple[str, ...]:
        """Names of the source volumes."""
        return tuple(str(attribute(node, "name")) for node in self._nodes("volumes"))

    @cached_property
    @reading
    def specimens(self) -> tuple[str, ...]:
        """The specimen of each source volume."""
        return tuple(str(attribute(node, "specimen")) for node in self._nodes("volumes"))

    @property
    @reading
    def voxel_size_um(self) -> VoxelSize | None:
        """(z,y,x) in micrometres; None when unknown."""
        return voxel_size_of(self.file)

    def stacks(self, volume: int) -> list[Stack]:
        """The stacks of a source volume, by its number."""
        return self._stacks.get(volume, [])

    @cached_property
    @reading
    def _stacks(self) -> dict[int, list[Stack]]:
        found: dict[int, list[Stack]] = {}
        for number, node in enumerate(self._nodes("stacks")):
            shape = stored_here(node["image"], self.path).shape
            stack = Stack(number, shape[0], shape[1:])
            found.setdefault(int(attribute(node, "volume")), []).append(stack)
        return found

    @reading
    def intensity(self, volume: int, channel: int) -> Intensity:
        """Constants of one channel of a whole source volume."""
        constants = intensities_of(self.file[f"volumes/{volume}"])
        if not 0 <= channel < len(constants):
            raise InputError(
                f"{self.path}: {self.volumes[volume]}: channel: expected 0 to "
                f"{len(constants) - 1}, found {channel} (the edition file names the channel of "
                "each structure)"
            )
        return constants[channel]

    @reading
    def block_chances(self, volume: int, channel: int) -> BlockChances:
        """What the chances of a source volume's blocks depend on."""
        stored = attribute(self.file[f"volumes/{volume}"], "blocks")
        return BlockChances(*(float(value) for value in stored[channel]))

    @reading
    def patch_chances(self, stack: Stack, channel: int) -> np.ndarray:
        """Blocks of tissue and sum of brightness of each patch, float32 (N,2)."""
        return whole(self.dataset(f"stacks/{stack.number}/chances"), self.path)[:, channel]

    @reading
    def occupancy(self, stack: Stack, patch: int, channel: int) -> np.ndarray:
        """Mean and 99th percentile of each 32³ block of a patch, float32 (z,y,x,2)."""
        return self.dataset(f"stacks/{stack.number}/occupancy")[patch, channel]

    @reading
    def read(self, stack: Stack, patch: int, channel: int, slices: Slices) -> np.ndarray:
        """The (Z,Y,X) window `slices` of one channel of a patch, as stored."""
        return self.dataset(f"stacks/{stack.number}/image")[(patch, channel, *slices)]

    @reading
    def names(self, stack: Stack) -> list[str]:
        """The paths of a stack's patches in the collection."""
        stored = whole(self.dataset(f"stacks/{stack.number}/names"), self.path)
        return stored.tobytes().decode("utf-8").split("\n")

    @property
    def block(self) -> int:
        """Edge of an occupancy block in voxels."""
        return BLOCK

    def _nodes(self, name: str) -> list:
        group = self.file[name]
        return [group[str(number)] for number in range(len(group))]


def write_collection_index(rows: list[IndexRow], patches: list[int], tsv: Path) -> None:
    """Write a collection's table: a row a source volume, with its number of patches."""
    frame = pd.DataFrame([vars(row) for row in rows]).assign(patches=patches)
    write_table(frame.sort_values("id"), tsv)


def is_collection(index: pd.DataFrame) -> bool:
    """Whether a table is that of a collection, and not of one volume."""
    return "patches" in index
