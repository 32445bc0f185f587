"""Grey values and labels as they are stored: the smallest type that loses nothing."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from ...system.errors import InputError

LARGEST_EXACT_FLOAT32 = 2**24
ROUNDING = 1e-3  # what the scale factors of a header leave of a whole number
# The largest value of a type, or -1 that was stored without a sign.
IGNORE_VALUES = tuple(2**bits - 1 for bits in (7, 8, 15, 16, 31, 32, 63, 64))
MIDDLES = (127, 128)  # "perhaps" between the 0 and 255 of a mask in three values
FEW = 3  # classes are counted from 1; objects of a mask may begin anywhere
MOST_CLASSES = 7  # more values than these that change from voxel to voxel are grey values
MOST_CHANGES = 0.5  # of neighbours in the foreground; 0.32 between cells three voxels wide
FEWEST_NEIGHBOURS = 32
# What may be allowed.
FULL_MASK, IGNORE_LABEL, GREY_MASK = "full-mask", "ignore-label", "grey-mask"


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
    """The mask that a file of labels means, uint8 {0,1}, and the labels in it.

    Every label above 0 is foreground. Raises InputError for labels that are not whole numbers from
    0 (but for rounding), and, unless `allow` names them, for several labels without 0 (full-mask),
    for a value such as 255 that stands for "ignore" beside classes (ignore-label), and for values
    that differ between most neighbours, as lossy compression or interpolation leave them
    (grey-mask).
    """
    labels = _labels(array, path)
    is_short = labels.dtype.kind == "u" and labels.dtype.itemsize <= 2
    values = np.flatnonzero(np.bincount(labels.ravel())) if is_short else np.unique(labels)
    found = [int(value) for value in values]
    if GREY_MASK not in allow and len(found) > MOST_CLASSES and _varies_everywhere(array):
        raise InputError(
            f"{path}: expected labels of objects, found {len(found)} values from {found[0]} to "
            f"{found[-1]} that differ between neighbours as grey values do (lossy compression, "
            "interpolation, or an image: save a mask of 0 and 1; to take all above 0 for "
            f"foreground, allow {GREY_MASK!r})"
        )
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
    return (labels > 0).astype(np.uint8), found


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


def _varies_everywhere(labels: np.ndarray) -> bool:
    """Whether most neighbours in the foreground have different labels, along rows."""
    one, other = labels[..., 1:], labels[..., :-1]
    pairs = (one > 0) & (other > 0)
    count = np.count_nonzero(pairs)
    changes = np.count_nonzero(pairs & (one != other))
    return count >= FEWEST_NEIGHBOURS and changes > MOST_CHANGES * count


def _has_ignore_label(found: list[int]) -> bool:
    """Whether the largest values of a type stand far above labels that are counted from 1.

    The largest but one counts with it: two tools, or an inversion, leave 254 for 255.
    """
    labels = [label for label in found if label > 0]
    largest = next((m for m in IGNORE_VALUES if labels and labels[-1] in (m, m - 1)), None)
    if largest is None:
        return False
    others = [label for label in labels if label < largest - 1]
    is_apart = largest - 2 not in others
    return is_apart and bool(others) and (others[0] <= FEW or set(others) <= set(MIDDLES))
