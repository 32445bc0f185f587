"""Connected components (26) of a mask that is never in memory as a whole.

Each block is labelled alone: its components are *pieces*, numbered over all blocks in scan order.
Two voxels of different blocks that touch lie on both sides of a border between blocks, on some
axis. So it is enough to keep the foreground of the planes at the borders, and to compare the two
planes of a border, 3×3 shifts, when both are complete. Pieces that touch are one component.

In memory: one block, the foreground voxels of the planes at one layer's borders, and a few numbers
a piece.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import cc3d
import numpy as np
from scipy.ndimage import find_objects
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..images.hdf5_writing import writing_hdf5
from ..images.storage import ArrayOnDisk, boxes
from .blocks import Box

EDGE = 256


@dataclass(frozen=True)
class Pieces:
    """The components of one block alone.

    labels: (Z,Y,X) of the block, 1 to `count`, 0 background. first: number of the first piece over
    all blocks, from 0.
    """

    box: Box
    labels: np.ndarray
    first: int
    count: int


@dataclass(frozen=True)
class Components:
    """Whole components, numbered from 0 in the order of their first voxel in scan order.

    of_piece: component of each piece. The others, a row a component: number of voxels; first voxel
    (flat index); box [low, high) as (…, 2, 3). They do not depend on how the volume is cut.
    """

    of_piece: np.ndarray
    voxels: np.ndarray
    first: np.ndarray
    box: np.ndarray


def label_blocks(mask: ArrayOnDisk, edges: tuple[int, int, int] = (EDGE,) * 3) -> Iterator[Pieces]:
    """Label each block of a mask (Z,Y,X) that is read block by block."""
    first = 0
    for box in boxes(mask.shape, edges):
        # Not with binary_image=True: cc3d 4.1.1 then fails on arrays of a single row.
        labels, count = cc3d.connected_components(
            np.ascontiguousarray(mask[box]), connectivity=26, return_N=True
        )
        yield Pieces(box, labels, first, count)
        first += count


def stitch(mask: ArrayOnDisk, edges: tuple[int, int, int] = (EDGE,) * 3) -> Components:
    """The components of a mask (Z,Y,X) over all its blocks."""
    borders = _Borders(mask.shape)
    measured = [NO_PIECES]
    count = 0
    for pieces in label_blocks(mask, edges):
        borders.add(pieces)
        if pieces.count:
            measured.append(_measure(pieces, mask.shape))
        count = pieces.first + pieces.count
    rows = {name: np.concatenate([m[name] for m in measured]) for name in measured[0]}
    return _merged(rows, borders.component_of_piece(count))


def remove_small_components(segmentation: Path, min_voxels: int) -> None:
    """Set 26-connected components of fewer than `min_voxels` voxels to 0, also those cut by blocks.

    A probability, if there is one, stays as it is.
    """
    with writing_hdf5(segmentation, "r+") as file:
        mask = file["mask"]
        components = stitch(mask)
        small = components.voxels[components.of_piece] < min_voxels
        for piece in label_blocks(mask):
            dropped = np.concatenate([[False], small[piece.first : piece.first + piece.count]])
            if dropped.any():
                block = mask[piece.box]
                block[dropped[piece.labels]] = 0
                mask[piece.box] = block


NO_PIECES = {
    name: np.empty((0, *row), np.int64)
    for name, row in (("voxels", ()), ("first", ()), ("box", (2, 3)))
}


def _measure(pieces: Pieces, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """A row a piece of one block, in coordinates of the volume."""
    corner = np.array([side.start for side in pieces.box])
    flat = np.flatnonzero(pieces.labels)
    label = pieces.labels.ravel()[flat] - 1
    voxels = np.bincount(label, minlength=pieces.count)
    first = np.empty(pieces.count, np.int64)
    first[label[::-1]] = flat[::-1]
    first_place = np.stack(np.unravel_index(first, pieces.labels.shape), axis=1) + corner
    found = find_objects(pieces.labels)
    box = np.array([[[s.start for s in sides], [s.stop for s in sides]] for sides in found])
    return {
        "voxels": voxels,
        "first": np.ravel_multi_index(tuple(first_place.T), shape),
        "box": box + corner,
    }


def _merged(rows: dict[str, np.ndarray], of_piece: np.ndarray) -> Components:
    count = int(of_piece.max(initial=-1)) + 1
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, of_piece, rows["first"])
    order = np.argsort(first)
    number = np.empty(count, np.int64)
    number[order] = np.arange(count)
    of_piece = number[of_piece]
    low = np.full((count, 3), np.iinfo(np.int64).max)
    high = np.zeros((count, 3), np.int64)
    np.minimum.at(low, of_piece, rows["box"][:, 0])
    np.maximum.at(high, of_piece, rows["box"][:, 1])
    voxels = np.zeros(count, np.int64)
    np.add.at(voxels, of_piece, rows["voxels"])
    return Components(of_piece, voxels, first[order], np.stack([low, high], 1))


class _Borders:
    """Planes on both sides of the borders between blocks, foreground voxels only."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shape = shape
        # (axis, border) -> planes below and above; each a list of (places, pieces), a block each.
        self._planes: dict[tuple[int, int], tuple[list, list]] = defaultdict(lambda: ([], []))
        self._touching = [np.empty((0, 2), np.int64)]
        self._layer = 0

    def add(self, pieces: Pieces) -> None:
        """Keep what a block shows at its six faces; blocks come in scan order."""
        if pieces.box[0].start != self._layer:
            self._compare_up_to(pieces.box[0].start)
            self._layer = pieces.box[0].start
        for axis, side in enumerate(pieces.box):
            if side.start > 0:
                self._planes[axis, side.start][1].append(self._plane(pieces, axis, 0))
            if side.stop < self._shape[axis]:
                self._planes[axis, side.stop][0].append(self._plane(pieces, axis, -1))

    def component_of_piece(self, count: int) -> np.ndarray:
        """Components of `count` pieces: those that touch, however indirectly, are one."""
        self._compare_up_to(self._shape[0])
        pairs = np.concatenate(self._touching)
        graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (count, count))
        return connected_components(graph, directed=False)[1]

    def _plane(self, pieces: Pieces, axis: int, at: int) -> tuple[np.ndarray, np.ndarray]:
        labels = pieces.labels.take(at, axis=axis)
        across = [a for a in range(3) if a != axis]
        rows, columns = np.nonzero(labels)
        number = labels[rows, columns].astype(np.int64) - 1 + pieces.first
        rows += pieces.box[across[0]].start
        columns += pieces.box[across[1]].start
        return (rows + 1) * self._width(axis) + columns + 1, number

    def _width(self, axis: int) -> int:
        """Of a plane's rows with a voxel to spare at both ends, so that shifts don't wrap."""
        return self._shape[1 if axis == 2 else 2] + 2

    def _compare_up_to(self, z: int) -> None:
        """Compare both planes of each border that no block from plane `z` on adds to.

        Borders along y and x are compared layer by layer: voxels that touch across two layers lie
        on both sides of a border along z, too.
        """
        for axis, border in list(self._planes):
            if axis != 0 or border < z:
                below, above = (_together(side) for side in self._planes.pop((axis, border)))
                self._touching.append(_touching(below, above, self._width(axis)))


def _together(blocks: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    places, pieces = (np.concatenate(part) for part in zip(*blocks, strict=True))
    order = np.argsort(places)
    return places[order], pieces[order]


def _touching(
    below: tuple[np.ndarray, np.ndarray], above: tuple[np.ndarray, np.ndarray], width: int
) -> np.ndarray:
    """Pairs (n,2) of pieces with touching voxels in two planes, each pair once."""
    pairs = [np.empty((0, 2), np.int64)]
    if len(above[0]):
        for row, column in product((-1, 0, 1), repeat=2):
            wanted = below[0] + row * width + column
            at = np.searchsorted(above[0], wanted).clip(max=len(above[0]) - 1)
            hit = above[0][at] == wanted
            pairs.append(np.stack([below[1][hit], above[1][at[hit]]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)
