"""Foreign results: masks of test cases that someone else made -> a prediction file of ours.

They come as a folder or as Grand Challenge's predictions.json. A folder holds, for each structure,
one of

    <structure>/<case>.<ext>           a mask a file: MHA, NIfTI, TIFF, NPY, or HDF5 with `mask`
    <structure>/predictions.json       a submission of this structure alone
    <structure>.h5                     a prediction file as `selma3d.images` writes it

NIfTI is stored X,Y,Z, everything else Z,Y,X; orientation in a header is not applied, as it is not
for the cases themselves. What lies outside the folder is never read.
"""

from __future__ import annotations

import difflib
import json
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import h5py
import numpy as np

from ..images import PatchFile, PredictionFile, PredictionWriter
from ..images.conversion.patch_sources import PREFIX
from ..images.conversion.stored_values import mask_of_labels
from ..images.geometry import Geometry, on_grid_of_case
from ..images.readers import extensions, image_stem, image_suffix, read_image, reading
from ..images.storage import open_hdf5, stored_here, whole
from ..system.errors import InputError
from ..system.fingerprint import visible
from ..system.limits import SPARE_VOXELS
from .predictions_json import read_jobs

log = logging.getLogger(__name__)

HDF5 = ".h5"
JOBS = "predictions.json"
RUN = "default"
MOST_VALUES = 100  # recorded of a mask; an instance segmentation has thousands


@dataclass(frozen=True)
class ForeignMask:
    """The mask of one image: the file that holds it, and what the file calls the image."""

    name: str
    path: Path


def sources(predictions: Path, structure: str) -> list[Path]:
    """Every file that a structure's masks are read from; empty if there are none.

    Raises InputError as `convert_foreign` does.
    """
    place = _place(predictions, structure)
    if place is None:
        return []
    if place.suffix == HDF5:
        return [place]
    named = [place] if place.name == JOBS else []
    return named + [mask.path for mask in _find(place, predictions)]


def convert_foreign(
    predictions: Path,
    cases_h5: Path,
    output: Path,
    *,
    method: str,
    structure: str,
    structures: Collection[str],
    cases_of_others: Mapping[str, Collection[str]],
) -> None:
    """Write the masks of a structure's cases as the method's run `default`.

    predictions: the folder or predictions.json. structures: all that the challenge knows.
    cases_of_others: the case ids of the other structures, whose masks a predictions.json may
    hold too. A mask is what lies above 0; its values are recorded. A case without a mask is logged
    and left out: scoring counts it as missing.
    Raises InputError for masks of unknown cases, of another shape than the case, with values that
    are no labels, or that lead out of the folder; and for folders of unknown structures.
    """
    if predictions.is_dir():
        _check_structures(predictions, structures)
    place = _place(predictions, structure)
    with PatchFile(cases_h5) as cases, PredictionWriter(output, method, structure, RUN) as writer:
        found: dict[str, ForeignMask] = {}
        if place is not None:
            others = cases_of_others if place.name == JOBS else {}
            found = _by_case(_find(place, predictions), cases.ids, others, structure)
        else:
            log.warning("%s: no masks of %s", predictions, structure)
        for case in cases.ids:
            if case not in found:
                log.warning("%s: no mask of case %s of %s", predictions, case, structure)
                continue
            source = found[case]
            mask, labels = _read(source, place, cases.shape(case), cases.geometry(case))
            writer.add(case, mask, provenance=_provenance(source.path, labels))


def _place(predictions: Path, structure: str) -> Path | None:
    """Where a structure's masks are: a predictions.json, an HDF5 file or a folder of files."""
    if predictions.is_file() and predictions.name == JOBS:
        return predictions
    if not predictions.is_dir():
        found = "another file" if predictions.exists() else "nothing"
        raise InputError(f"{predictions}: expected a folder or {JOBS}, found {found}")
    folder, file, of_all = (predictions / n for n in (structure, f"{structure}{HDF5}", JOBS))
    places = [_inside(predictions, place) for place in (folder, file) if place.exists()]
    if len(places) > 1:
        raise InputError(f"{folder}: expected one source of masks, found {file.name} too")
    if not places:
        return _inside(predictions, of_all) if of_all.exists() else None
    jobs = folder / JOBS
    return _inside(predictions, jobs) if jobs.exists() else places[0]


def _check_structures(predictions: Path, structures: Collection[str]) -> None:
    for entry in visible(predictions):
        name = entry.name.removesuffix(HDF5)
        if name in structures:
            continue
        if entry.is_dir() or entry.suffix == HDF5:
            raise InputError(f"{entry}: expected a structure, found {_unknown(name, structures)}")
        log.info("%s: no masks, left out", entry)


def _find(place: Path, predictions: Path) -> list[ForeignMask]:
    """All masks at a place, known cases or not."""
    if place.name == JOBS:
        jobs = read_jobs(place)
        return [ForeignMask(_name(Path(job.image)), job.mask) for job in jobs if job.mask]
    if place.suffix == HDF5 and place.is_file():
        with PredictionFile(place) as file:
            return [ForeignMask(case, place) for case in file.ids]
    return [ForeignMask(_name(file), file) for file in _mask_files(place, predictions)]


def _mask_files(folder: Path, predictions: Path) -> Iterator[Path]:
    for file in visible(folder):
        if file.is_dir() or not (image_suffix(file) or file.suffix == HDF5):
            raise InputError(
                f"{file}: expected a mask ({', '.join(extensions())}), found "
                f"{'a folder' if file.is_dir() else 'another file'} (take it out of the folder)"
            )
        else:
            yield _inside(predictions, file)


def _name(file: Path) -> str:
    """What the file says of its case."""
    return (file.stem if file.suffix == HDF5 else image_stem(file)).removeprefix(PREFIX)


def _by_case(
    masks: list[ForeignMask],
    cases: Collection[str],
    others: Mapping[str, Collection[str]],
    structure: str,
) -> dict[str, ForeignMask]:
    """The masks of a structure's cases; those of other structures' cases are passed over."""
    found: dict[str, ForeignMask] = {}
    for mask in masks:
        elsewhere = [name for name, ids in others.items() if mask.name in ids]
        if mask.name not in cases:
            if not elsewhere:
                known = [*cases, *(case for ids in others.values() for case in ids)]
                hint = _unknown(mask.name, known)
                raise InputError(f"{mask.path}: expected a case of {structure}, found {hint}")
            continue
        if elsewhere:
            raise InputError(
                f"{mask.path}: case {mask.name!r}: expected a case of one structure, found it in "
                f"{structure} and {elsewhere[0]} (give a folder, with <structure>/{JOBS})"
            )
        if mask.name in found:
            raise InputError(
                f"{mask.path}: case {mask.name!r}: expected one mask, found "
                f"{found[mask.name].path} too"
            )
        found[mask.name] = mask
    return found


def _read(
    source: ForeignMask,
    place: Path | None,
    shape: tuple[int, ...],
    geometry: Geometry | None,
) -> tuple[np.ndarray, list[int]]:
    """A mask (Z,Y,X) uint8 {0,1} and the values that its file has."""
    path = source.path
    most = max(SPARE_VOXELS, 4 * prod(shape))
    if path.suffix == HDF5:
        inner = f"{source.name}/mask" if path == place else "mask"
        array = _read_hdf5(path, inner, most)
    else:
        stored = read_image(path, most)
        if len(stored.array) != 1:
            raise InputError(f"{path}: expected one channel in a mask, found {len(stored.array)}")
        array = stored.array[0]
        if array.shape == shape:
            array = on_grid_of_case(array, stored.geometry, geometry, path, source.name)
    if array.shape != shape:
        reversed_axes = array.shape == shape[::-1]
        hint = " (its axes are reversed: store it as Z,Y,X)" if reversed_axes else ""
        raise InputError(
            f"{path}: case {source.name!r}: expected shape (Z,Y,X) {shape}, "
            f"found {array.shape}{hint}"
        )
    return mask_of_labels(array, path)


def _read_hdf5(path: Path, name: str, most_voxels: int) -> np.ndarray:
    """The dataset `name` (Z,Y,X)."""
    with open_hdf5(path) as file, reading(path):
        node = file.get(name)
        if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "buif":
            found = "none" if node is None else node
            raise InputError(f"{path}: {name}: expected a dataset of numbers, found {found}")
        return whole(stored_here(node, path), path, most_voxels)


def _provenance(path: Path, labels: list[int]) -> dict[str, str | int]:
    return {
        "source_mask": path.name,
        "source_mask_values": json.dumps(labels[:MOST_VALUES]),
        "source_mask_labels": len(labels),
    }


def _inside(folder: Path, path: Path) -> Path:
    """`path`, if it lies in the folder once all links are followed; else InputError."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{path}: expected a file inside {folder}, found one that leads to {path.resolve()} "
            "(copy it there)"
        )
    return path


def _unknown(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known)[:9])}"
    return f"{name!r} ({hint})"
