"""Masks packed to one bit a voxel, 64 voxels a word: counting and topology at memory speed."""

from __future__ import annotations

import numpy as np

WORD = 64

Box = tuple[slice, slice, slice]


def pack(mask: np.ndarray) -> np.ndarray:
    """Words (Z, Y, X // 64 + 1) of a bool mask (Z,Y,X); x ascends with the bits of a word.

    At least one bit after the last voxel of a row is free.
    """
    depth, height, width = mask.shape
    packed = np.packbits(mask, axis=2, bitorder="little")
    words = np.zeros((depth, height, (width // WORD + 1) * (WORD // 8)), dtype=np.uint8)
    words[:, :, : packed.shape[2]] = packed
    return words.view("<u8")


def count(words: np.ndarray) -> int:
    """Number of bits that are set."""
    return int(np.bitwise_count(words).sum(dtype=np.int64))


def bounding_box(words: np.ndarray) -> Box:
    """The smallest box (Z,Y,X) that holds all set bits; empty slices where there is none."""
    occupied = words != 0
    along_x = np.bitwise_or.reduce(words, axis=(0, 1)).view(np.uint8)
    return (
        _extent(occupied.any(axis=(1, 2))),
        _extent(occupied.any(axis=(0, 2))),
        _extent(np.unpackbits(along_x, bitorder="little")),
    )


def _extent(occupied: np.ndarray) -> slice:
    (where,) = np.nonzero(occupied)
    return slice(int(where[0]), int(where[-1]) + 1) if where.size else slice(0, 0)


def euler_number(words: np.ndarray) -> int:
    """Euler number of the mask: 26-connected foreground; outside of the image is background.

    It is that of the union of its voxels as closed cubes: corners − edges + faces − cubes. A corner
    counts if one of the eight voxels around it is set, an edge if one of four, a face if one of
    two.
    """
    cubes = np.pad(words, ((1, 1), (1, 1), (0, 0)))
    by_x = _either_along_x(cubes)
    by_y, by_xy = _either(cubes, 1), _either(by_x, 1)
    faces = count(by_x) + count(by_y) + count(_either(cubes, 0))
    edges = count(by_xy) + count(_either(by_x, 0)) + count(_either(by_y, 0))
    corners = count(_either(by_xy, 0))
    return corners - edges + faces - count(cubes)


def _either(words: np.ndarray, axis: int) -> np.ndarray:
    ahead = np.moveaxis(words, axis, 0)
    return np.moveaxis(ahead[1:] | ahead[:-1], 0, axis)


def _either_along_x(words: np.ndarray) -> np.ndarray:
    either = words | (words << np.uint64(1))
    either[..., 1:] |= words[..., :-1] >> np.uint64(WORD - 1)
    return either


def grown(words: np.ndarray) -> np.ndarray:
    """The mask and the six face neighbours of its voxels.

    Bits after the last voxel of a row may be set: intersect with a mask before counting.
    """
    one, last = np.uint64(1), np.uint64(WORD - 1)
    result = words | (words << one) | (words >> one)
    result[..., 1:] |= words[..., :-1] >> last
    result[..., :-1] |= words[..., 1:] << last
    for axis in (0, 1):
        own, neighbours = np.moveaxis(result, axis, 0), np.moveaxis(words, axis, 0)
        own[1:] |= neighbours[:-1]
        own[:-1] |= neighbours[1:]
    return result
