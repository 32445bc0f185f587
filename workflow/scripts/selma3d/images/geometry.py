"""Geometry of images: where their grid lies in the world, as headers of NIfTI and MHA state it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from ..system.errors import InputError
from .storage import VoxelSize

UM_PER_MM = 1000.0
SPACING_TOLERANCE = 1e-2  # of the spacing: headers round it
DIRECTION_TOLERANCE = 1e-2  # of a unit vector: 0.6 degrees
SMALLEST_UM, LARGEST_UM = 0.01, 100.0  # voxels of light-sheet microscopes
OTHER_GEOMETRY = "other-geometry"  # the name under which headers that disagree are allowed

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Geometry:
    """The grid of an image; all in the order x, y, z, in the coordinates of ITK (LPS).

    spacing, origin (the first voxel's centre): in the unit of the file. direction: a unit vector
    for each axis of the image; None where the file states none. unit_um: micrometres in a unit;
    None where the file states no unit. contradiction: what the header says twice and differently,
    as part of a sentence; empty where it does not.
    """

    spacing: Vector
    origin: Vector = (0.0, 0.0, 0.0)
    direction: tuple[Vector, Vector, Vector] | None = None
    unit_um: float | None = None
    contradiction: str = ""

    @classmethod
    def of_size(cls, voxel_size_um: VoxelSize | None) -> Self:
        """A grid of which no more than the voxel size (z,y,x) is known, or not even that."""
        if voxel_size_um is None:
            return cls((1.0, 1.0, 1.0))
        return cls(tuple(reversed(voxel_size_um)), unit_um=1.0)

    @property
    def voxel_size_um(self) -> VoxelSize | None:
        """(z,y,x) in µm; None without a unit, in doubt, or where no light-sheet image is such."""
        if self.unit_um is None or self.contradiction:
            return None
        size = tuple(spacing * self.unit_um for spacing in reversed(self.spacing))
        return size if all(SMALLEST_UM <= s <= LARGEST_UM for s in size) else None

    def with_voxel_size(self, voxel_size_um: VoxelSize | None) -> Geometry:
        """The same place with another voxel size, if one is given."""
        if voxel_size_um is None:
            return self
        unit = self.unit_um or UM_PER_MM
        spacing = tuple(size / unit for size in reversed(voxel_size_um))
        return replace(self, spacing=spacing, unit_um=unit)

    def in_unit(self, unit_um: float) -> Geometry:
        """The same in another unit; as it stands where its own is unknown."""
        if self.unit_um is None:
            return self
        factor = self.unit_um / unit_um
        spacing, origin = (tuple(n * factor for n in v) for v in (self.spacing, self.origin))
        return replace(self, spacing=spacing, origin=origin, unit_um=unit_um)

    def plain(self) -> dict[str, object]:
        """The same as plain data, for an attribute of a file."""
        return {name: value for name, value in asdict(self).items() if name != "contradiction"}

    @classmethod
    def read(cls, plain: dict[str, object]) -> Self:
        """Build it again from plain data."""
        direction = plain["direction"]
        return cls(
            tuple(plain["spacing"]),
            tuple(plain["origin"]),
            None if direction is None else tuple(map(tuple, direction)),
            plain["unit_um"],
        )

    @property
    def says_nothing(self) -> bool:
        """Whether it is what programs write that have been told of no geometry."""
        return self.spacing == (1, 1, 1) and not any(self.origin) and self.unit_um is None

    def in_voxels(self) -> Geometry:
        """The same directions, with voxels as the unit."""
        lengths = zip(self.origin, self.spacing, strict=True)
        return Geometry((1.0, 1.0, 1.0), tuple(o / s for o, s in lengths), self.direction)

    def flips_onto(self, other: Geometry, shape: tuple[int, ...]) -> list[int]:
        """The axes of (Z,Y,X) arrays to reverse, so that this image lies on another's grid.

        What one of the two does not state is taken as equal. Raises ValueError with both sides
        where the spacing differs, the direction otherwise than by reversed axes, or the place.
        """
        if not self._same_spacing(other):
            raise ValueError(f"spacing {other._spacing_text()}", f"spacing {self._spacing_text()}")
        if self.direction is None or other.direction is None:
            self._check_origin(other)
            return []
        turned = np.asarray(other.direction) @ np.asarray(self.direction).T
        if np.abs(np.abs(turned) - np.eye(3)).max() > DIRECTION_TOLERANCE:
            raise ValueError(f"direction {_rows(other)}", f"direction {_rows(self)}")
        reversed_axes = [axis for axis in range(3) if turned[axis, axis] < 0]
        if reversed_axes:
            self._check_same_place(other, reversed_axes, shape)
        else:
            self._check_origin(other)
        return [2 - axis for axis in reversed_axes]

    def _same_spacing(self, other: Geometry) -> bool:
        mine, theirs = np.asarray(self.spacing), np.asarray(other.spacing)
        units = self.unit_um, other.unit_um
        if None not in units:
            return np.allclose(mine * units[0], theirs * units[1], rtol=SPACING_TOLERANCE, atol=0)
        if np.allclose(mine, theirs, rtol=SPACING_TOLERANCE, atol=0):
            return True
        if units == (None, None):
            return bool((mine == 1).all())  # what a program writes that has been told nothing
        bare, stated = (mine, theirs) if units[0] is None else (theirs, mine)
        unit = units[1] if units[0] is None else units[0]
        in_mm = stated * unit / UM_PER_MM
        return bool((bare == 1).all()) or np.allclose(bare, in_mm, rtol=SPACING_TOLERANCE, atol=0)

    def _check_origin(self, other: Geometry) -> None:
        """Raise ValueError where both state a place, with units or without, and it is another."""
        if not (any(self.origin) and any(other.origin)):
            return  # many programs drop it
        if (self.unit_um is None) != (other.unit_um is None):
            return
        mine, theirs = (g if g.unit_um is None else g.in_unit(1.0) for g in (self, other))
        if np.abs(np.subtract(mine.origin, theirs.origin)).max() > max(theirs.spacing):
            raise ValueError(f"origin {_text(other.origin)}", f"origin {_text(self.origin)}")

    def _check_same_place(self, other: Geometry, axes: list[int], shape: tuple[int, ...]) -> None:
        """Raise ValueError where the reversed image would not lie where the other one does."""
        mine, theirs = (g if g.unit_um is None else g.in_unit(1.0) for g in (self, other))
        first = np.asarray(mine.origin, dtype=float)
        for axis in axes:
            length = (shape[2 - axis] - 1) * mine.spacing[axis]
            first = first + length * np.asarray(self.direction[axis])
        if not np.abs(first - theirs.origin).max() <= max(theirs.spacing) / 2:
            raise ValueError(
                f"direction {_rows(other)} with origin {_text(other.origin)}",
                f"direction {_rows(self)} with origin {_text(self.origin)}",
            )

    def _spacing_text(self) -> str:
        unit = {None: "without a unit", 1.0: "µm", UM_PER_MM: "mm"}.get(self.unit_um, "m")
        return f"{_text(self.spacing)} {unit} (x,y,z)"


def on_grid(
    array: np.ndarray, own: Geometry | None, other: Geometry | None, path: Path, beside: Path
) -> np.ndarray:
    """An array (…,Z,Y,X) of the file `path` on the grid of the file `beside`.

    Reversed axes are turned back, as both headers say where the image lies. Raises InputError
    where the two headers disagree in another way, naming both.
    """
    if own is None or other is None:
        return array
    for geometry, place in ((own, path), (other, beside)):
        if geometry.contradiction and own != other:
            raise InputError(
                f"{place}: expected one geometry in its header, found {geometry.contradiction} "
                f"(save it with one; or, if the headers are wrong, allow {OTHER_GEOMETRY!r})"
            )
    try:
        axes = own.flips_onto(other, array.shape[-3:])
    except ValueError as difference:
        expected, found = difference.args
        raise InputError(
            f"{path}: expected {expected} as in {beside.name}, found {found} (save both on one "
            f"grid; or, if the headers are wrong, allow {OTHER_GEOMETRY!r})"
        ) from None
    return np.flip(array, [axis - 3 for axis in axes]) if axes else array


def on_grid_of_case(
    array: np.ndarray, own: Geometry | None, case: Geometry | None, path: Path, name: str
) -> np.ndarray:
    """A mask (…,Z,Y,X) that a program made of a case, on the case's grid.

    own, case: what the headers of the mask and of the case's image say. Axes that both say are
    reversed are turned back; a mask whose header says nothing is as the case is stored. Spacings
    are compared where both state one. Raises InputError where the headers disagree otherwise.
    """
    if own is None or case is None or own.direction is None or own.says_nothing:
        return array
    if case.unit_um is None and case.spacing == (1, 1, 1):
        own = own.in_voxels()
    elif own.unit_um is None and case.unit_um is not None:
        own = replace(own, unit_um=UM_PER_MM)  # as ITK, which states no unit, means it
    try:
        axes = own.flips_onto(case, array.shape[-3:])
    except ValueError as difference:
        expected, found = difference.args
        raise InputError(
            f"{path}: case {name!r}: expected {expected} as its image has, found {found} (save the "
            "mask on the image's grid)"
        ) from None
    return np.flip(array, [axis - 3 for axis in axes]) if axes else array


def _rows(geometry: Geometry) -> str:
    return " / ".join(_text(row) for row in geometry.direction or ())


def _text(numbers: tuple[float, ...]) -> str:
    return " ".join(f"{number:.4g}" for number in numbers)


def lengths_text(lengths: Iterable[float]) -> str:
    """Lengths along the axes as messages tell them: `4 × 2 × 2`."""
    return " × ".join(f"{length:g}" for length in lengths)
