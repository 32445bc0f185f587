"""Blocks of a volume, and the windows of its grid: each window belongs to one block.

A block decides the mask of its core. It computes the windows that start in its core, whose
predictions reach beyond the core's far faces: that part, the spill, is handed to the up to seven
neighbours further on. So no window is computed twice, though memory holds no more than one block.

A slab is a range of block layers along z that one job works on alone. Jobs hand no spill to each
other: the first layer of a slab also computes the windows that start before it and reach into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from ..images.storage import CHUNK
from ..learning.windows import Size, window_starts
from ..system.errors import InputError

Index = tuple[int, int, int]
Box = tuple[slice, slice, slice]

# Where spill goes: one step on along some of the axes.
NEIGHBOURS = tuple(step for step in product((0, 1), repeat=3) if any(step))


@dataclass(frozen=True)
class Block:
    """A part of the volume, all in voxels (Z,Y,X) of the volume, padded to a window's size.

    core: whose mask it decides. reach: core and spill. windows: starts of the windows it computes.
    """

    index: Index
    core: Box
    reach: Box
    windows: tuple[Index, ...]

    @property
    def name(self) -> str:
        return "-".join(f"{i:04d}" for i in self.index)

    def extent(self, window: Size) -> Box:
        """The voxels under its windows."""
        return tuple(
            slice(min(s[axis] for s in self.windows), max(s[axis] for s in self.windows) + side)
            for axis, side in enumerate(window)
        )


@dataclass(frozen=True)
class BlockGrid:
    """Blocks of `edge`³ voxels of a volume (Z,Y,X), and windows with `overlap`.

    `layers` is the range of block layers along z of the slab at hand.
    """

    shape: Size
    window: Size
    overlap: float
    edge: int
    layers: range

    @classmethod
    def of(
        cls, shape: Size, window: Size, overlap: float, edge: int, slab: int = 0, slabs: int = 1
    ) -> BlockGrid:
        """The grid of slab number `slab` of `slabs`; `edge` grows to whole chunks and one window.

        Raises InputError for a slab number out of range, or an overlap outside [0, 1).
        """
        if not 0 <= slab < slabs:
            raise InputError(f"slab: expected 0 to {slabs - 1}, found {slab}")
        if not 0 <= overlap < 1:
            raise InputError(f"overlap: expected from 0 to below 1, found {overlap}")
        edge = -(-max(edge, *window) // CHUNK) * CHUNK
        depth = -(-max(shape[0], window[0]) // edge)
        layers = range(depth * slab // slabs, depth * (slab + 1) // slabs)
        return cls(tuple(shape), tuple(window), overlap, edge, layers)

    @cached_property
    def padded(self) -> Size:
        """The volume's shape, at least a window."""
        return tuple(max(n, w) for n, w in zip(self.shape, self.window, strict=True))

    @cached_property
    def counts(self) -> Index:
        """Number of blocks along z, y, x of the whole volume."""
        return tuple(-(-n // self.edge) for n in self.padded)

    @cached_property
    def starts(self) -> tuple[list[int], list[int], list[int]]:
        """First voxels of all windows along z, y, x."""
        return tuple(
            window_starts(n, w, self.overlap) for n, w in zip(self.padded, self.window, strict=True)
        )

    @cached_property
    def planes(self) -> slice:
        """The slab's own planes of the padded volume."""
        return slice(
            self.layers.start * self.edge, min(self.layers.stop * self.edge, self.padded[0])
        )

    def blocks(self, occupied: np.ndarray | None, unit: int) -> Iterator[Block]:
        """The slab's blocks in scan order.

        `occupied`: bool (z,y,x), cubes of `unit` voxels with tissue; None if all have. Windows that
        touch no such cube are left out.
        """
        ranges = (self.layers, range(self.counts[1]), range(self.counts[2]))
        for index in product(*ranges):
            yield self._block(index, occupied, unit)

    def covering(self, box: Box) -> list[Index]:
        """Starts of all windows of the volume that touch `box`."""
        return list(
            product(
                *(
                    [s for s in starts if s < side.stop and s + w > side.start]
                    for starts, w, side in zip(self.starts, self.window, box, strict=True)
                )
            )
        )

    def window_count(self) -> int:
        """Number of windows that the slab has to do with."""
        return len(self.covering((self.planes, *(slice(0, n) for n in self.padded[1:]))))

    def before(self, block: Block) -> Iterator[tuple[Index, Index]]:
        """(index, step) of the blocks of the slab whose spill reaches into `block`."""
        for step in NEIGHBOURS:
            index = tuple(i - s for i, s in zip(block.index, step, strict=True))
            if min(index) >= 0 and index[0] in self.layers:
                yield index, step

    def last_reader(self, index: Index) -> Index:
        """The last block in scan order that the spill of block `index` reaches into."""
        far = (self.layers.stop, *self.counts[1:])
        return tuple(min(i + 1, n - 1) for i, n in zip(index, far, strict=True))

    def _block(self, index: Index, occupied: np.ndarray | None, unit: int) -> Block:
        core = tuple(
            slice(i * self.edge, min((i + 1) * self.edge, n))
            for i, n in zip(index, self.padded, strict=True)
        )
        own = [
            [s for s in starts if side.start <= s < side.stop]
            for starts, side in zip(self.starts, core, strict=True)
        ]
        if index[0] == self.layers.start:
            reaching = [s for s in self.starts[0] if s < core[0].start < s + self.window[0]]
            own[0] = reaching + own[0]
        windows = tuple(start for start in product(*own) if self._has_tissue(start, occupied, unit))
        ends = (self.planes.stop, *self.padded[1:])
        reach = tuple(
            slice(side.start, min(end, max(side.stop, *(s[axis] + w for s in windows), 0)))
            for axis, (side, w, end) in enumerate(zip(core, self.window, ends, strict=True))
        )
        return Block(index, core, reach, windows)

    def _has_tissue(self, start: Index, occupied: np.ndarray | None, unit: int) -> bool:
        if occupied is None:
            return True
        cubes = tuple(
            slice(s // unit, -(-(s + w) // unit)) for s, w in zip(start, self.window, strict=True)
        )
        return bool(occupied[cubes].any())


def shifted(box: Box, origin: Box) -> Box:
    """`box` counted from the first voxel of `origin`."""
    return tuple(
        slice(side.start - o.start, side.stop - o.start)
        for side, o in zip(box, origin, strict=True)
    )


def common(start: Index, window: Size, box: Box) -> tuple[Box, Box]:
    """The part of a window that lies in `box`: as a region of the box, and of the window."""
    part = tuple(
        slice(max(s, side.start), min(s + w, side.stop))
        for s, w, side in zip(start, window, box, strict=True)
    )
    return shifted(part, box), tuple(
        slice(p.start - s, p.stop - s) for p, s in zip(part, start, strict=True)
    )
