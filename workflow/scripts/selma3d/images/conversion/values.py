"""Grey values and labels: what a file holds -> the smallest lossless type that is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...system.errors import InputError

LARGEST_EXACT_FLOAT32 = 2**24


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
    low, high = array.min(), array.max()
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


def binary_mask(array: np.ndarray, path: Path) -> tuple[np.ndarray, list[int]]:
    """A mask as uint8 {0,1}: every label above 0 is foreground; and the labels that were found.

    Raises InputError for labels that are not whole numbers from 0.
    """
    labels = whole_numbers(array, path)
    if labels.dtype == np.float32:
        values = np.unique(labels)
        fractions = values[values != np.rint(values)]
        if len(fractions):
            raise InputError(
                f"{path}: expected labels (whole numbers), found {fractions[0]:g} (threshold it)"
            )
    else:
        values = np.flatnonzero(np.bincount(labels.ravel()))
    return (labels > 0).astype(np.uint8), [int(value) for value in values]
