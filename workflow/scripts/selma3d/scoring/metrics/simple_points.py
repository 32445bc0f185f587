"""Simple points, voxels that a thinning may delete: look-up tables over the 3×3×3 neighbourhood.

A voxel's 26 neighbours are a *ring* (the eight beside it in its own plane) and two *caps* (the nine
above, the nine below). Whether they hang together, and how the Euler number changes with the voxel,
can be read from cap and ring of either side alone, and joined: a cap only links, or doesn't link,
the at most four connected pieces of the ring. So two looks into a table of 512 × 256 sides, which
are of few kinds, and one into a table of pairs of kinds replace the usual search in 26 voxels.

Definitions: Lee, Kashyap, Chu, CVGIP: Graphical Models and Image Processing 56 (1994) 462–478.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

Cell = tuple[int, int]

# Bit b of a cap or ring code is the b-th of these (row, column) steps from the centre.
CAP: tuple[Cell, ...] = tuple((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1))
RING: tuple[Cell, ...] = tuple(step for step in CAP if step != (0, 0))
RING_BITS = len(RING)

MOST_PIECES = 4  # no more than four of the ring's cells, its corners, are mutually apart
PIECE_PAIRS = tuple(combinations(range(MOST_PIECES), 2))


@dataclass(frozen=True)
class DeletionTables:
    """`kind[cap << RING_BITS | ring]` is the kind of one side; the others are indexed by
    `kind(above) * kinds + kind(below)`."""

    kind: np.ndarray
    kinds: int
    connected: np.ndarray  # the neighbours are one 26-connected piece, or there are none
    deletable: np.ndarray  # …, the Euler number stays, and the voxel is not the end of a curve


@cache
def deletion_tables() -> DeletionTables:
    """The tables, built once a process (about 50 ms)."""
    ring_pieces = _pieces_as_bits(RING)
    links, loose = _how_caps_join_the_ring(ring_pieces)
    pieces = np.broadcast_to((ring_pieces != 0).sum(axis=1), links.shape)
    cap_voxels = np.minimum(np.bitwise_count(np.arange(1 << len(CAP))), 2)[:, None]
    ring_voxels = np.minimum(np.bitwise_count(np.arange(1 << RING_BITS)), 2)[None, :]

    euler = _euler_change()
    features = (links, loose, pieces, cap_voxels, ring_voxels, euler - euler.min())
    sizes = tuple(int(feature.max()) + 1 for feature in features)
    code = np.ravel_multi_index(np.broadcast_arrays(*features), sizes)
    codes, kind = np.unique(code, return_inverse=True)
    links, loose, pieces, cap_voxels, ring_voxels, euler_offset = np.unravel_index(codes, sizes)

    def both(values: np.ndarray) -> np.ndarray:
        return values[:, None] + values[None, :]

    # Only sides with the same ring ever meet; the ring's features may be taken from either.
    joined = _number_of_pieces()[pieces[:, None], links[:, None] | links[None, :]]
    connected = joined + both(loose) <= 1
    keeps_euler_number = both(euler_offset + euler.min()) == 0
    end_of_curve = both(cap_voxels) + ring_voxels[:, None] == 1
    return DeletionTables(
        kind=kind.reshape(-1).astype(np.uint8),
        kinds=len(codes),
        connected=connected.reshape(-1),
        deletable=(connected & keeps_euler_number & ~end_of_curve).reshape(-1),
    )


def _touch(a: Cell, b: Cell) -> bool:
    return max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= 1


def _pieces(cells: list[Cell]) -> list[list[Cell]]:
    pieces = []
    while cells:
        piece, cells = cells[:1], cells[1:]
        for cell in piece:  # grows while it is walked
            piece += [other for other in cells if _touch(cell, other)]
            cells = [other for other in cells if not _touch(cell, other)]
        pieces.append(piece)
    return pieces


def _pieces_as_bits(cells: tuple[Cell, ...]) -> np.ndarray:
    """The connected pieces of every pattern over `cells`, as patterns: shape (2^cells, 4)."""
    bits = np.zeros((1 << len(cells), MOST_PIECES), dtype=np.int64)
    for pattern in range(1, 1 << len(cells)):
        present = [cell for bit, cell in enumerate(cells) if pattern >> bit & 1]
        for number, piece in enumerate(_pieces(present)):
            bits[pattern, number] = sum(1 << cells.index(cell) for cell in piece)
    return bits


def _how_caps_join_the_ring(ring_pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each (cap, ring): a bit for each pair of ring pieces that the cap links, and the number
    of the cap's own pieces (at most 2 counted) that touch none."""
    reach = np.array([sum(1 << b for b, r in enumerate(RING) if _touch(c, r)) for c in CAP])
    cap_pieces = _pieces_as_bits(CAP)
    shape = (len(cap_pieces), len(ring_pieces))
    links, loose = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for piece in cap_pieces.T:
        reached = np.zeros(len(piece), dtype=np.int64)
        for bit in range(len(CAP)):
            reached |= np.where(piece >> bit & 1, reach[bit], 0)
        touches = [(reached[:, None] & ring[None, :]) != 0 for ring in ring_pieces.T]
        loose += (piece != 0)[:, None] & ~np.logical_or.reduce(touches)
        for bit, (i, j) in enumerate(PIECE_PAIRS):
            links |= (touches[i] & touches[j]).astype(np.int64) << bit
    return links, np.minimum(loose, 2)


def _number_of_pieces() -> np.ndarray:
    """Pieces left of `n` when the pairs in `links` are joined: shape (5, 64)."""
    number = np.zeros((MOST_PIECES + 1, 1 << len(PIECE_PAIRS)), dtype=np.int64)
    for pieces in range(MOST_PIECES + 1):
        for links in range(1 << len(PIECE_PAIRS)):
            piece_of = list(range(pieces))
            for bit, (i, j) in enumerate(PIECE_PAIRS):
                if links >> bit & 1 and j < pieces:
                    old, new = piece_of[j], piece_of[i]
                    piece_of = [new if piece == old else piece for piece in piece_of]
            number[pieces, links] = len(set(piece_of))
    return number


def _euler_change() -> np.ndarray:
    """Eight times the share of one side, (cap, ring), in the Euler number that a voxel adds.

    A voxel is a closed cube: it adds those of its 8 corners, 12 edges and 6 faces that no
    neighbour has. Split over the octants: a corner counts whole, an edge half, a face a quarter,
    the cube an eighth (column δG26 of Lee's table 2).
    """
    cap = {step: (np.arange(1 << len(CAP)) >> bit & 1)[:, None] for bit, step in enumerate(CAP)}
    ring = {step: (np.arange(1 << RING_BITS) >> bit & 1)[None, :] for bit, step in enumerate(RING)}
    change = np.zeros((1 << len(CAP), 1 << RING_BITS), dtype=np.int64)
    for row in (-1, 1):
        for column in (-1, 1):
            over, over_row, over_column = cap[0, 0], cap[row, 0], cap[0, column]
            beside_row, beside_column = ring[row, 0], ring[0, column]
            across = ring[row, column] | beside_row | beside_column
            faces = (1 - over) + (1 - beside_row) + (1 - beside_column)
            edges = (
                (1 - (over | over_row | beside_row))
                + (1 - (over | over_column | beside_column))
                + (1 - across)
            )
            corner = 1 - (over | over_row | over_column | cap[row, column] | across)
            change += 8 * corner - 4 * edges + 2 * faces - 1
    return change
