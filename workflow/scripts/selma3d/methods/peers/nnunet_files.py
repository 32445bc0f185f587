"""Patches and cases written in nnU-Net's file layout, and its masks read back.

Layout: nnU-Net's documentation/dataset_format.md and manual_data_splits.md (release 2.8.1). Images
are MetaImage, which SimpleITK reads and writes without reordering axes. Files are numbered, since
patch ids are names from outside.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import SimpleITK

from ...images import PatchFile, PredictionWriter
from ...images.storage import VoxelSize
from ...system.errors import InputError
from .examples import Example

DATASET = "Dataset001_SELMA3D"
SUFFIX = ".mha"
FOREGROUND = 1
IN_VOXELS = (1.0, 1.0, 1.0)


def write_dataset(examples: Iterable[Example], raw: Path) -> dict[str, list[str]]:
    """Write training and validation patches below `raw`; return nnU-Net's split of them.

    Voxel sizes are micrometres, or 1 for all patches if that of any is unknown. Where nothing is
    set aside for validation, nnU-Net watches the training patches, as its `fold all` does.
    """
    folder = raw / DATASET
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    split: dict[str, list[str]] = {"train": [], "validation": []}
    sizes: dict[str, VoxelSize | None] = {}
    for number, example in enumerate(examples):
        name = _name(number)
        split[example.role].append(name)
        sizes[name] = example.voxel_size_um
        _write(example.image, folder / "imagesTr" / f"{name}_0000{SUFFIX}", example.voxel_size_um)
        _write(example.mask, folder / "labelsTr" / f"{name}{SUFFIX}", example.voxel_size_um)
    if None in sizes.values():
        for file in sorted(folder.glob(f"*/*{SUFFIX}")):
            _forget_size(file)
    description = {
        "channel_names": {"0": "light-sheet"},  # no name that nnU-Net knows: it takes z-scores
        "labels": {"background": 0, "foreground": FOREGROUND},
        "numTraining": len(sizes),
        "file_ending": SUFFIX,
        "overwrite_image_reader_writer": "SimpleITKIO",
    }
    (folder / "dataset.json").write_text(json.dumps(description, indent=1))
    return {"train": split["train"], "val": split["validation"] or split["train"]}


def write_cases(cases: PatchFile, channel: int, folder: Path, spacing: Sequence[float]) -> None:
    """Write a channel of all cases for prediction.

    spacing: (z,y,x) that the model was planned for. A case of unknown size is taken to have it,
    and is then not resampled; so is every case if the model was trained in voxels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(cases.ids):
        known = cases.voxel_size_um(case) if tuple(spacing) != IN_VOXELS else None
        path = folder / f"{_name(number)}_0000{SUFFIX}"
        _write(cases.image(case, channel), path, known or tuple(spacing))


def read_masks(folder: Path, cases: PatchFile, writer: PredictionWriter) -> None:
    """Add the mask of every case that nnU-Net wrote to `folder`.

    Raises InputError for a case that is absent, or a mask of another shape or with other values.
    """
    for number, case in enumerate(cases.ids):
        path = folder / f"{_name(number)}{SUFFIX}"
        if not path.exists():
            raise InputError(f"{path}: expected the mask of case {case!r}, found no file")
        mask = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
        if mask.shape != cases.shape(case) or not np.isin(mask, (0, FOREGROUND)).all():
            raise InputError(
                f"{path}: case {case!r}: expected {cases.shape(case)} voxels of 0 and 1, found "
                f"{mask.shape} with values up to {mask.max()}"
            )
        writer.add(case, mask.astype(np.uint8))


def _name(number: int) -> str:
    return f"image_{number:04d}"


def _write(array: np.ndarray, path: Path, voxel_size: VoxelSize | None) -> None:
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing([float(size) for size in reversed(voxel_size or IN_VOXELS)])
    SimpleITK.WriteImage(image, str(path), useCompression=True)


def _forget_size(path: Path) -> None:
    image = SimpleITK.ReadImage(str(path))
    if image.GetSpacing() != IN_VOXELS:
        image.SetSpacing(IN_VOXELS)
        SimpleITK.WriteImage(image, str(path), useCompression=True)
