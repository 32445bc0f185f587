"""The 3D Lee skeleton, voxel for voxel as scikit-image computes it, in a quarter of the time.

Lee's thinning peels a mask from six sides in turn. For each side it collects the border voxels
that may be deleted, then goes through them in scan order and deletes each that, after the
deletions before it, still leaves its neighbours connected. scikit-image visits every voxel of the
image at every step; here only the mask's own voxels are kept, as flat indices, all in NumPy.

The second step looks sequential. But a voxel's fate depends only on the *earlier* candidates among
its 26 neighbours: assume that all are deleted, correct those for which this proves wrong, then
those that the corrections touch, until nothing changes. By induction along the scan order the only
state in which nothing changes is the sequential one, and corrections are few (below 1 %).

Equal to `skimage.morphology.skeletonize(mask, method="lee")` of scikit-image 0.26, whose second
step re-checks connectivity alone: straight bars of even width vanish altogether.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects

from .simple_points import RING_BITS, deletion_tables

# One byte a voxel holds it (CENTRE) and its neighbours along x: three voxels a look-up.
LEFT, CENTRE, RIGHT = 1, 2, 4


def lee_skeleton(mask: np.ndarray, *, planar: bool) -> np.ndarray:
    """Flat indices, ascending, of the skeleton's voxels in `mask`.

    mask: bool (Z,Y,X) whose outermost layer is background. planar: thin within z planes only, not
    from above and below; scikit-image does so with an image that is a single plane.
    """
    thinning = _Thinning(mask)
    thinning.run(sides=4 if planar else 6)
    return thinning.voxels + thinning.origin


def innermost_voxels(labels: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Flat index of the voxel of each component that is farthest from what is not the component.

    labels: (Z,Y,X) components numbered from 1, the outermost layer 0. Of equal voxels the first in
    scan order is taken.
    """
    boxes = find_objects(labels)
    voxels = []
    for component in components:
        box = tuple(slice(s.start - 1, s.stop + 1) for s in boxes[component - 1])
        depth = distance_transform_edt(labels[box] == component)
        inside = np.unravel_index(depth.argmax(), depth.shape)
        position = tuple(i + s.start for i, s in zip(inside, box, strict=True))
        voxels.append(np.ravel_multi_index(position, labels.shape))
    return np.array(voxels, dtype=np.intp)


class _Later(NamedTuple):
    """What of voxels' neighbourhoods comes after them in scan order, as codes of `DeletionTables`:
    half of the ring, and the cap below."""

    ring: np.ndarray
    below: np.ndarray

    def of(self, voxels: np.ndarray) -> _Later:
        return _Later(self.ring[voxels], self.below[voxels])


class _Thinning:
    """A mask with background all around, while it is being thinned.

    Voxels are flat indices, counted from `origin`: then what lies a step away from them is at the
    same indices of a view that starts that step further on, and nothing has to be added.
    """

    def __init__(self, mask: np.ndarray) -> None:
        self.row = mask.shape[2]
        self.plane = mask.shape[1] * mask.shape[2]
        self.origin = self.plane + self.row + 1
        self.tables = deletion_tables()
        flat = mask.reshape(-1)
        self.voxels = np.flatnonzero(flat[self.origin :])
        self.present = np.ones(len(self.voxels), dtype=bool)
        # `state` is the mask before a side is peeled, `peeled` the same with deletions so far.
        self.state = _with_neighbours_along_x(flat.view(np.uint8))
        self.peeled = self.state.copy()
        columns = np.arange(-1, 2)
        rows = np.concatenate([columns - self.row, columns, columns + self.row])
        self.later_steps = np.concatenate([[1], columns + self.row, rows + self.plane])

    def run(self, sides: int) -> None:
        """Peel from the first `sides` sides in turn until none of them loses a voxel."""
        order = (-self.row, self.row, 1, -1, self.plane, -self.plane)[:sides]
        changed = True
        while changed:
            deleted = [self._peel(outward) for outward in order]
            self.voxels = self.voxels[self.present]
            self.present = np.ones(len(self.voxels), dtype=bool)
            changed = any(deleted)

    def _peel(self, outward: int) -> bool:
        """Delete from the side whose outward step is `outward`; tell whether anything went."""
        covered = self._away(self.state, outward).take(self.voxels) & CENTRE != 0
        border = np.flatnonzero(self.present & ~covered)
        voxels = self.voxels.take(border)
        later = self._later_neighbours(voxels)
        deletable = self._look_up(self.tables.deletable, voxels, self.state, later)
        candidates = voxels[deletable]
        self._delete(self.peeled, candidates)
        deleted = self._still_connected(candidates, later.of(deletable))
        self._delete(self.state, candidates[deleted])
        self.present[border[deletable][deleted]] = False
        return bool(deleted.any())

    def _still_connected(self, candidates: np.ndarray, later: _Later) -> np.ndarray:
        """Which `candidates` the re-check in scan order deletes; leaves `peeled` without them."""
        table = self.tables.connected
        deleted = np.ones(len(candidates), dtype=bool)
        wrong = np.flatnonzero(~self._look_up(table, candidates, self.peeled, later))
        while wrong.size:
            deleted[wrong] ^= True
            voxels = candidates[wrong]
            self._delete(self.peeled, voxels[deleted[wrong]])
            self._restore(self.peeled, voxels[~deleted[wrong]])
            touched = _positions(np.unique(voxels[:, None] + self.later_steps), candidates)
            fate = self._look_up(table, candidates[touched], self.peeled, later.of(touched))
            wrong = touched[fate != deleted[touched]]
        return deleted

    def _later_neighbours(self, voxels: np.ndarray) -> _Later:
        right = self._away(self.state, 0).take(voxels) & RIGHT
        row_after = self._away(self.state, self.row).take(voxels)
        return _Later(right * 4 + row_after * 32, self._cap(self.state, voxels, self.plane))

    def _look_up(
        self, table: np.ndarray, voxels: np.ndarray, earlier: np.ndarray, later: _Later
    ) -> np.ndarray:
        """Look neighbourhoods up whose earlier half, in scan order, is as in `earlier`."""
        left = self._away(earlier, 0).take(voxels) & LEFT
        row_before = self._away(earlier, -self.row).take(voxels)
        ring = later.ring + left * 8 + row_before
        above = self._cap(earlier, voxels, -self.plane)
        pair = self.tables.kind.take(above + ring) * np.uint16(self.tables.kinds)
        pair += self.tables.kind.take(later.below + ring)
        return table.take(pair)

    def _cap(self, source: np.ndarray, voxels: np.ndarray, step: int) -> np.ndarray:
        """Code of the nine voxels around the one that is `step` away, where it stands in `kind`."""
        code = self._away(source, step + self.row).take(voxels) * np.uint16(64)
        code += self._away(source, step).take(voxels) * np.uint8(8)
        code += self._away(source, step - self.row).take(voxels)
        return code.astype(np.intp) << RING_BITS

    def _away(self, source: np.ndarray, step: int) -> np.ndarray:
        return source[self.origin + step :]

    def _delete(self, source: np.ndarray, voxels: np.ndarray) -> None:
        self._away(source, 0)[voxels] &= LEFT | RIGHT
        self._away(source, -1)[voxels] &= LEFT | CENTRE
        self._away(source, 1)[voxels] &= CENTRE | RIGHT

    def _restore(self, source: np.ndarray, voxels: np.ndarray) -> None:
        self._away(source, 0)[voxels] |= CENTRE
        self._away(source, -1)[voxels] |= RIGHT
        self._away(source, 1)[voxels] |= LEFT


def _with_neighbours_along_x(flat: np.ndarray) -> np.ndarray:
    code = flat * CENTRE  # NumPy multiplies bytes many times faster than it shifts them
    code[1:] += flat[:-1]
    code[:-1] += flat[1:] * RIGHT
    return code


def _positions(values: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """Where in `ascending` those of `values` stand that are in it."""
    position = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    return position[ascending[position] == values]
