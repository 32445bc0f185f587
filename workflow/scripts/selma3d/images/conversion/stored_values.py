"""Grey values and labels as they are stored: the smallest type that loses nothing."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from ...system.errors import InputError

LARGEST_EXACT_FLOAT32 = 2**24
ROUNDING = 1e-3  # what the scale factors of a header leave of a whole number
# The largest value of a type, or -1 that was stored without a sign.
IGNORE_VALUES = tuple(2**bits - 1 for bits in (8, 15, 16, 31, 32, 63, 64))
FEW = 3  # classes are counted from 1; objects of a mask may begin anywhere
FULL_MASK, IGNORE_LABEL = "full-mask", "ignore-label"  # what may be allowed


def whole_numbers(array: np.ndarray, path: Path) -> np.ndarray:
    """Grey values as uint8 (only where the file has 8 bits), uint16, else float32.

    Whole numbers stay exact, whatever type they came in; a structure's patches get one type,
    since it follows from the file's type and not from a patch's brightest voxel.
    Raises InputError for NaN, infinite and negative values, and whole numbers above 2**24.
    """
    if array.dtype.kind in "bu" and array.dtype.itemsize <= 2:
        return array.astype(np.uint8 if array.dtype.itemsize == 1 else np.uint16, copy=False)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(
            f"{path}: expected finite grey values, found "
            f"{np.count_nonzero(~np.isfinite(array))} voxels of NaN or infinity"
        )
    low, high = array.min().item(), array.max().item()
    if low < 0:
        raise InputError(
            f"{path}: expected grey values from 0, found {low} (an offset or a wrong sign: "
            "save the detector's own values)"
        )
    is_whole = array.dtype.kind != "f" or np.array_equal(array, np.rint(array))
    if is_whole and high <= np.iinfo(np.uint16).max:
        return array.astype(np.uint16)
    if is_whole and high > LARGEST_EXACT_FLOAT32:
        raise InputError(
            f"{path}: expected whole grey values up to {LARGEST_EXACT_FLOAT32}, found {high}"
        )
    return array.astype(np.float32)


def mask_of_labels(
    array: np.ndarray, path: Path, allow: Collection[str] = ()
) -> tuple[np.ndarray, list[int]]:
    """The mask that a file of labels means, and the labels in it, as `binary_mask`.

    Raises InputError, unless `allow` names them, for several labels without 0 (full-mask) and for
    a value such as 255 that stands for "ignore" beside classes (ignore-label).
    """
    mask, found = binary_mask(array, path)
    listed = ", ".join(map(str, found[:5])) + (", …" if len(found) > 5 else "")
    if found[0] > 0 and len(found) > 1 and FULL_MASK not in allow:
        raise InputError(
            f"{path}: expected background, labelled 0, found labels {listed} without it (save the "
            f"background as 0; to take all of them for foreground, allow {FULL_MASK!r})"
        )
    if _has_ignore_label(found) and IGNORE_LABEL not in allow:
        raise InputError(
            f"{path}: expected labels of objects, found {listed} with {found[-1]}, which often "
            "means voxels to ignore (set those to 0 or 1; to take them for foreground, allow "
            f"{IGNORE_LABEL!r})"
        )
    return mask, found


def binary_mask(array: np.ndarray, path: Path) -> tuple[np.ndarray, list[int]]:
    """A mask as uint8 {0,1}: every label above 0 is foreground; and the labels that were found.

    Raises InputError for labels that are not whole numbers from 0 (but for rounding).
    """
    labels = _labels(array, path)
    is_short = labels.dtype.kind == "u" and labels.dtype.itemsize <= 2
    values = _values(labels) if is_short else np.unique(labels)
    return (labels > 0).astype(np.uint8), [int(value) for value in values]


def _labels(array: np.ndarray, path: Path) -> np.ndarray:
    if array.dtype.kind in "if" and array.size and array.min() < 0:
        raise InputError(
            f"{path}: expected labels from 0, found {array.min():g} (if it means voxels to ignore, "
            "set those to 0)"
        )
    if array.dtype.kind in "iu" and array.dtype.itemsize > 2:
        return array  # ids of objects, however large
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(
            f"{path}: expected labels (whole numbers), found "
            f"{np.count_nonzero(~np.isfinite(array))} voxels of NaN or infinity (set those to 0)"
        )
    labels = whole_numbers(array, path)
    if labels.dtype != np.float32:
        return labels
    rounded = np.rint(labels)
    fractions = labels[np.abs(labels - rounded) > ROUNDING]
    if len(fractions):
        raise InputError(
            f"{path}: expected labels (whole numbers), found {fractions[0]:g} (threshold it)"
        )
    return rounded


def _values(labels: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.bincount(labels.ravel()))


def _has_ignore_label(found: list[int]) -> bool:
    """Whether a type's largest value stands far above labels that are counted from 1."""
    last, others = found[-1], [label for label in found[:-1] if label > 0]
    return last in IGNORE_VALUES and last - 1 not in others and min(others, default=last) <= FEW
