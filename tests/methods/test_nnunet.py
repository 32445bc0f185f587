"""nnU-Net's files: what it is handed, what is read back, and which weights are trusted."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import SimpleITK

from selma3d.challenge.run import Run
from selma3d.challenge.source import Source
from selma3d.images import PatchFile, PredictionFile, PredictionWriter
from selma3d.methods.peers import nnunet, nnunet_files
from selma3d.methods.peers.environment import Environment
from selma3d.methods.peers.examples import examples
from selma3d.system.errors import InputError
from small_peers import patches_and_split, picture, two_cases

SETTINGS = {
    "configuration": "3d_fullres",
    "gpu_memory_gb": 8,
    "features": [32, 320],
    "epochs": 2,
    "iterations": 2,
    "validation_iterations": 1,
    "minutes": None,
    "save_every": 1,
    "mirrored": True,
}


def written(folder, *sizes):
    source = Source("cells", *patches_and_split(folder, *([sizes] if sizes else [])), 0)
    split = nnunet_files.write_dataset(examples([source], Run("scratch", "all", 0, 3)), folder)
    return split, folder / nnunet_files.DATASET


def read(path):
    image = SimpleITK.ReadImage(str(path))
    return SimpleITK.GetArrayFromImage(image), image.GetSpacing()


def test_patches_arrive_voxel_by_voxel_with_their_mask_size_and_part(tmp_path):
    split, dataset = written(tmp_path)
    assert split == {"train": ["image_0000", "image_0001"], "val": ["image_0002"]}
    for name, number in [("image_0000", 1), ("image_0001", 0), ("image_0002", 2)]:  # b, a, v
        image, mask = picture(number)
        stored, spacing = read(dataset / "imagesTr" / f"{name}_0000.mha")
        assert np.array_equal(stored, image[0])
        assert spacing == (1.0, 2.0, 4.0)
        assert np.array_equal(read(dataset / "labelsTr" / f"{name}.mha")[0], mask)
    description = json.loads((dataset / "dataset.json").read_text())
    assert description["numTraining"] == 3
    assert description["labels"] == {"background": 0, "foreground": 1}


def test_one_unknown_voxel_size_puts_all_patches_in_voxels(tmp_path):
    _, dataset = written(tmp_path, (4.0, 2.0, 1.0), None, (4.0, 2.0, 1.0))
    assert {read(path)[1] for path in dataset.glob("*/*.mha")} == {(1.0, 1.0, 1.0)}


def test_masks_come_back_to_the_case_that_they_are_of(tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    masks.mkdir()
    with (
        PatchFile(two_cases(tmp_path)) as cases,
        PredictionWriter(tmp_path / "p.h5", "nnunet", "cells", "default") as writer,
    ):
        nnunet_files.write_cases(cases, 0, images, (3.0, 2.0, 1.0))
        for path in images.iterdir():
            array, spacing = read(path)
            assert spacing == (1.0, 2.0, 4.0)
            mask = SimpleITK.GetImageFromArray((array > 500).astype(np.uint8))
            SimpleITK.WriteImage(mask, str(masks / path.name.replace("_0000.mha", ".mha")))
        nnunet_files.read_masks(masks, cases, writer)
    with PatchFile(tmp_path / "cases.h5") as cases, PredictionFile(tmp_path / "p.h5") as found:
        assert found.ids == cases.ids
        for case in cases.ids:
            assert np.array_equal(found.mask(case), cases.mask(case))


@pytest.mark.parametrize(
    ("size", "planned", "expected"),
    [
        (None, (4.0, 2.0, 2.0), (2.0, 2.0, 4.0)),  # unknown: as planned, so not resampled
        ((8.0, 2.0, 2.0), (4.0, 2.0, 2.0), (2.0, 2.0, 8.0)),  # known: nnU-Net resamples
        ((8.0, 2.0, 2.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),  # a model in voxels
    ],
)
def test_a_case_is_resampled_only_where_both_sizes_are_known(tmp_path, size, planned, expected):
    with PatchFile(two_cases(tmp_path, size)) as cases:
        nnunet_files.write_cases(cases, 0, tmp_path / "images", planned)
    assert {read(path)[1] for path in (tmp_path / "images").iterdir()} == {expected}


@pytest.mark.parametrize("fault", ["absent", "shape", "values"])
def test_what_nnunet_did_not_write_well_is_an_error_that_names_the_case(tmp_path, fault):
    with (
        PatchFile(two_cases(tmp_path)) as cases,
        pytest.raises(InputError, match="case"),
        PredictionWriter(tmp_path / "p.h5", "nnunet", "cells", "default") as writer,
    ):
        shape = cases.shape(cases.ids[0])[::-1] if fault == "shape" else cases.shape(cases.ids[0])
        mask = np.full(shape, 3 if fault == "values" else 1, np.uint8)
        if fault != "absent":
            path = tmp_path / "image_0000.mha"
            SimpleITK.WriteImage(SimpleITK.GetImageFromArray(mask), str(path))
        nnunet_files.read_masks(tmp_path, cases, writer)
    assert not (tmp_path / "p.h5").exists()


def test_weights_that_its_training_did_not_write_are_not_read(tmp_path):
    model, history = tmp_path / "run.zip", tmp_path / "run.tsv"
    model.write_bytes(b"an exchanged pickle")
    rows = [(1, 2.0, nnunet.CHECKSUM, "0" * 64)]
    pd.DataFrame(rows, columns=["step", "seconds", "name", "value"]).to_csv(
        history, sep="\t", index=False
    )
    with pytest.raises(InputError, match="may run code, and is not read"):
        nnunet.predict(
            *(model, history, []),
            environment=Environment(tmp_path),
            settings=nnunet.NNUNetSettings.read(SETTINGS),
        )
