"""Check of predictions: masks of 0 and 1 for all test cases, on their grids; faults and cures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from ..images import PatchFile, PredictionFile
from ..images.hdf5_checks import hdf5_faults_told
from ..images.storage import stored_here, whole
from ..system.errors import InputError

Shape = tuple[int, ...]


def check_predictions(
    predictions: str | Path, cases_h5: str | Path, *, complete: bool = True
) -> pd.DataFrame:
    """Check the predictions of one run; one row a case: case, shape, foreground (share of voxels).

    complete: whether every case must have a mask; of masks that someone else made, those that are
    absent count as missing in the ranking instead.
    Raises InputError with the first fault, how many more there are, and what to mend.
    """
    with PatchFile(cases_h5) as cases, PredictionFile(predictions) as file:
        faults = [*_absences(file.ids, cases.ids, complete)]
        rows = []
        for case in [case for case in cases.ids if case in file.ids]:
            try:
                mask = _mask(file, case, cases.shape(case))
            except InputError as error:
                faults.append(f"case {case}: {error}")
            else:
                rows.append((case, ",".join(map(str, mask.shape)), float(mask.mean())))
    if faults:
        more = f"; {len(faults) - 1} more faults in this file" if len(faults) > 1 else ""
        raise InputError(f"{predictions}: {faults[0]}{more}")
    return pd.DataFrame(rows, columns=["case", "shape", "foreground"])


def faults_of_runs(
    predictions: Iterable[str | Path], cases_h5: str | Path, *, complete: bool
) -> dict[str, str]:
    """The first fault of each prediction file that has one, by its run."""
    faults = {}
    for path in map(Path, predictions):
        try:
            check_predictions(path, cases_h5, complete=complete)
        except InputError as error:
            faults[path.stem] = str(error)
    return faults


def _absences(found: Collection[str], cases: Collection[str], complete: bool) -> Iterator[str]:
    absent = [case for case in cases if case not in found]
    unknown = [name for name in found if name not in cases]
    if absent and (complete or len(absent) == len(cases)):
        hint = f", but {_some(unknown)}, which is no case" if unknown else ""
        yield (
            f"expected masks of {len(cases)} cases, found none of {_some(absent)}{hint} "
            "(predict every case of cases.h5, under its name there)"
        )


def _mask(file: PredictionFile, case: str, shape: Shape) -> np.ndarray:
    """(Z,Y,X) uint8 {0,1}. Raises InputError with what is wrong and how to mend it."""
    with hdf5_faults_told(file.path):
        node = file.file[case]
        dataset = node.get("mask") if isinstance(node, h5py.Group) else None
    if not isinstance(dataset, h5py.Dataset):
        raise InputError("expected a dataset 'mask' in the case's group, found none")
    if dataset.shape != shape:
        raise InputError(
            f"expected a mask of shape (Z,Y,X) {shape}, found {dataset.shape}"
            f"{_about_shape(dataset.shape, shape)}"
        )
    if dataset.dtype.kind not in "buif":
        raise InputError(f"expected a mask of uint8, found {dataset.dtype} (store numbers)")
    mask = whole(stored_here(dataset, file.path), file.path)
    if dataset.dtype == np.uint8 and mask.max(initial=0) <= 1:
        return mask
    raise InputError(f"expected a mask of uint8 0 and 1, found {mask.dtype} {_about_values(mask)}")


def _about_shape(found: Shape, expected: Shape) -> str:
    if len(found) != len(expected):
        return f" (drop what is beside Z,Y,X: expected 3 axes, found {len(found)})"
    if sorted(found) == sorted(expected):
        return " (its axes are swapped: transpose it to Z,Y,X)"
    return " (undo resampling and padding: a mask has its case's grid)"


def _about_values(mask: np.ndarray) -> str:
    """A description of values that no mask may have, and the cure for the likeliest reason."""
    if mask.dtype.kind == "f" and not np.isfinite(mask).all():
        bad = int((~np.isfinite(mask)).sum())
        return f"with {bad} NaN or infinite voxels (find where the method divides by zero)"
    values = np.unique(mask)
    if set(values.tolist()) <= {0, 1}:
        return "0 and 1 (write mask.astype('uint8'))"
    between = f"between {values[0]:.4g} and {values[-1]:.4g}"
    if mask.dtype.kind == "f" and values[0] >= 0 and values[-1] <= 1:
        return f"{between} (probabilities: threshold them, and write them as 'probability')"
    if len(values) <= 2:
        return f"{' and '.join(map(str, values.tolist()))} (write mask > 0)"
    if mask.dtype.kind == "f":
        return f"{between} (logits? threshold them)"
    return f"{between}, {len(values)} values (labels of objects? write mask > 0)"


def _some(names: Collection[str], most: int = 5) -> str:
    shown = ", ".join(sorted(names)[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
