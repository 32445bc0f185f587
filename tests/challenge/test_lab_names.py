"""A lab's file names say which file is a mask of which image, and of which animal."""

from __future__ import annotations

from pathlib import Path

import pytest

from selma3d.challenge.lab_names import (
    channel_patterns,
    pair_masks,
    sample_name,
    specimen_of,
    structure_name,
    without_extension,
)


def masks(*paths: str) -> dict[str, str]:
    return pair_masks(paths, {p: without_extension(Path(p).name) for p in paths}).masks


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("raw/a.nii.gz", "gt/a.nii.gz"),
        ("x/raw/patchvolume_001_0000.nii.gz", "x/gt/patchvolume_001.nii.gz"),
        ("images/a.tif", "labels/a.nii.gz"),
        ("Images/a.tif", "Labels/A.tif"),
        ("imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz"),
        ("imagesTs/a_0000.nii.gz", "labelsTs/a.nii.gz"),
        ("images/a.tif", "masks/a_mask.tif"),
        ("images/a_raw.tif", "masks/a_mask.tif"),
        ("a.tif", "a_mask.tif"),
        ("a.tif", "a-gt.tif"),
        ("a.tif", "a_label.tif"),
        ("a.tif", "a.seg.nii.gz"),
        ("a_raw.tif", "a_seg.tif"),
        ("a.mha", "mask_a.mha"),
        ("deep/er/a.tif", "deep/er/a_labels.tif"),
    ],
)
def test_a_mask_is_found_by_its_folder_or_the_end_of_its_name(image, mask):
    assert masks(image, mask) == {image: mask}


def test_channels_in_files_of_their_own_are_one_image():
    paths = ("raw/a_0000.tif", "raw/a_0001.tif", "gt/a.tif")
    assert masks(*paths) == {"raw/a_0000.tif,raw/a_0001.tif": "gt/a.tif"}


def test_training_images_do_not_take_the_masks_of_test_images():
    paths = ("imagesTr/a.tif", "labelsTr/a.tif", "imagesTs/a.tif", "labelsTs/a.tif")
    assert masks(*paths) == {
        "imagesTr/a.tif": "labelsTr/a.tif",
        "imagesTs/a.tif": "labelsTs/a.tif",
    }


@pytest.mark.parametrize(
    ("paths", "unpaired", "reason"),
    [
        (("raw/a.tif", "gt/b.tif"), "gt/b.tif", "no image beside it has the same name"),
        (("a.tif", "a.nii", "a_mask.tif"), "a_mask.tif", "a mask of 2 images: a.nii, a.tif"),
        (("a.tif", "a_gt.tif", "a_mask.tif"), "a_mask.tif", "a second mask of a.tif"),
    ],
)
def test_what_could_mean_two_things_is_not_guessed(paths, unpaired, reason):
    found = pair_masks(paths, {p: without_extension(Path(p).name) for p in paths})
    assert reason in found.unpaired[unpaired]


@pytest.mark.parametrize(
    ("path", "specimen"),
    [
        ("raw/brain6742_0.nii.gz", "brain6742"),
        ("raw/000_vol016_ch0.nii.gz", "vol016"),
        ("mouse 3/stack.tif", "mouse3"),
        ("Mouse-12/sample1/C01", "mouse12"),
        ("labelled/m1_a.tif", "m1"),
        ("sub-07/scan_2021.tif", "sub07"),
        ("patchvolume_003_0000.nii.gz", ""),
        ("561nm/z001.tif", ""),
        ("atom12.tif", ""),
    ],
)
def test_the_animal_is_read_from_the_surest_word(path, specimen):
    assert specimen_of(path) == specimen


@pytest.mark.parametrize(
    ("folder", "fallback", "name"),
    [
        ("amyloid_plaque/raw", "selma_crops", "amyloid-plaque"),
        ("raw", "Microglia (2)", "microglia-2"),
        ("cFos/mouse1/C01", "data", "cfos"),
        ("training/imagesTr", "raw", "structure"),
    ],
)
def test_a_structure_is_called_as_the_last_folder_that_says_something(folder, fallback, name):
    assert structure_name(folder, fallback) == name


def test_names_of_samples_are_unlike_each_other():
    assert sample_name("left hemisphere (2)", []) == "left-hemisphere-2"
    assert sample_name("a", ["a", "a-2"]) == "a-3"
    assert sample_name("..", []) == "image"


def planes(*starts: str) -> list[str]:
    return [f"{start}z{z:03d}.tif" for start in starts for z in range(3)]


@pytest.mark.parametrize(
    ("starts", "patterns"),
    [
        (("C00_", "C01_"), {"C00": "C00_*.tif", "C01": "C01_*.tif"}),
        (
            ("a_Ex_488_Em_525_", "a_Ex_642_Em_680_"),
            {"Ex_488_Em_525": "*_Ex_488_Em_525_*.tif", "Ex_642_Em_680": "*_Ex_642_Em_680_*.tif"},
        ),
        (("a_C1_", "a_C10_"), {"C1": "*_C1_*.tif", "C10": "*_C10_*.tif"}),
        (("a_C1_",), {}),
        (("left_", "right_"), {}),
    ],
)
def test_planes_of_several_channels_in_a_folder_are_told_apart(starts, patterns):
    assert channel_patterns(planes(*starts)) == patterns


def test_channels_with_unlike_numbers_of_planes_are_not_guessed_at():
    assert channel_patterns([*planes("C00_", "C01_"), "C01_z003.tif"]) == {}
