"""One command takes a model and an image of any format, and writes a mask of any format."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import cc3d
import nibabel
import numpy as np
import pandas as pd
import pytest
import SimpleITK
import tifffile

from selma3d.export.single_image import main
from selma3d.images import Intensity, SegmentationFile
from selma3d.inference import load_model
from selma3d.inference.cases import binarise
from small_models import noise, write_model, write_noise
from two_channel_files import FORMATS, GREY, SIZE

SHAPE = (20, 40, 24)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.pt")


def expected_mask(model: Path) -> np.ndarray:
    loaded, image = load_model(model), noise(SHAPE)
    return binarise(loaded, loaded.probability(image, Intensity.of(image)))


def write_image(folder: Path, kind: str) -> Path:
    image = noise(SHAPE)
    path = folder / f"image{kind}"
    if kind == ".nii.gz":
        nibabel.save(nibabel.Nifti1Image(image.transpose(2, 1, 0), np.eye(4)), path)
    elif kind == ".mha":
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(image), str(path))
    elif kind == ".tif":
        tifffile.imwrite(path, image, imagej=True, metadata={"axes": "ZYX"})
    elif kind == ".npy":
        np.save(path, image)
    elif kind == ".h5":
        return write_noise(folder, SHAPE)
    else:
        path.mkdir()
        for z, plane in enumerate(image):
            tifffile.imwrite(path / f"z{z:03d}.tif", plane)
    return path


def read_mask(path: Path) -> np.ndarray:
    if path.suffix == ".h5":
        with SegmentationFile(path) as found:
            return found.mask[()]
    if path.name.endswith(".mha"):
        return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    if path.name.endswith(".nii.gz"):
        return np.asanyarray(nibabel.load(path).dataobj).transpose(2, 1, 0)
    return tifffile.imread(path)


@pytest.mark.parametrize(
    ("kind", "output"),
    [
        (".nii.gz", "mask.nii.gz"),
        (".mha", "mask.mha"),
        (".tif", "mask.ome.tif"),
        (".tif", "mask.h5"),
        (".npy", "mask.nii.gz"),
        (".h5", "mask.h5"),
        (".h5", "mask.nii.gz"),
        ("-planes", "mask.mha"),
    ],
)
def test_mask_is_that_of_the_library(tmp_path: Path, model: Path, kind: str, output: str) -> None:
    image = write_image(tmp_path, kind)
    assert main([str(model), str(image), str(tmp_path / output), "--threads", "1"]) == 0
    expected = expected_mask(model)
    assert 0.05 < expected.mean() < 0.95
    differing = np.count_nonzero(read_mask(tmp_path / output) != expected)
    assert differing <= 2  # voxels within 1e-5 of the threshold
    assert not list(tmp_path.glob("*.work"))


@pytest.mark.parametrize("kind", FORMATS)
def test_files_of_microscopes_are_segmented_as_they_are(tmp_path: Path, model: Path, kind) -> None:
    name, write = FORMATS[kind]
    mask = tmp_path / "mask.mha"
    assert main([str(model), str(write(tmp_path / name)), str(mask), "--threads", "1"]) == 0
    loaded, image = load_model(model), GREY[0]
    expected = binarise(loaded, loaded.probability(image, Intensity.of(image)))
    assert np.count_nonzero(read_mask(mask) != expected) <= 2
    found = SimpleITK.ReadImage(str(mask)).GetSpacing()
    assert found == pytest.approx([size / 1000 for size in reversed(SIZE)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model.pt", "image.mha", "mask.mha", "--structure", "vessel"), "found one for spots"),
        (("model.pt", "absent.mha", "mask.mha"), "absent.mha: expected an image"),
        (("model.pt", "image.mha", "mask.png"), "expected a name that ends in"),
        (("absent.pt", "image.mha", "mask.mha"), "expected a model file, found nothing"),
        (("second.pt", "image.mha", "mask.mha"), "expected at least 2 channels for spots, found 1"),
        (("several.pt", "image.mha", "mask.mha"), "expected one of spots, vessel, whose channels"),
        (("model.pt", "nan.nii", "mask.mha"), "1 voxels of NaN or infinity"),
    ],
)
def test_bad_input_is_one_clear_line(
    tmp_path: Path, model: Path, caplog, monkeypatch, arguments: tuple[str, ...], message: str
) -> None:
    write_image(tmp_path, ".mha")
    write_model(tmp_path / "second.pt", structures={"spots": {"channel": 1}})
    several = {"spots": {"channel": 0}, "vessel": {"channel": 1}}
    write_model(tmp_path / "several.pt", structures=several)
    bad = noise(SHAPE).astype(np.float32)
    bad[3, 3, 3] = np.nan
    nibabel.save(nibabel.Nifti1Image(bad, np.eye(4)), tmp_path / "nan.nii")
    monkeypatch.chdir(tmp_path)
    assert main(list(arguments)) == 1
    assert message in caplog.text
    assert not (tmp_path / "mask.mha").exists()


def write_two_channels(path: Path) -> Path:
    """Noise in channel 1, nothing in channel 0; 2 µm wide and 6 µm high voxels."""
    voxels = np.stack([np.full(SHAPE, 7, np.uint16), noise(SHAPE)], axis=1)
    tifffile.imwrite(
        path,
        voxels,
        photometric="minisblack",
        ome=True,
        metadata={
            "axes": "ZCYX",
            "Channel": {"Name": ["autofluorescence", "Ex_642"]},
            "PhysicalSizeX": 2.0,
            "PhysicalSizeY": 2.0,
            "PhysicalSizeZ": 6.0,
        },
    )
    return path


@pytest.mark.parametrize("output", ["mask.tif", "mask.h5"])
def test_the_channel_is_chosen_by_number_or_name_and_said(tmp_path, model, caplog, output):
    image = write_two_channels(tmp_path / "image.ome.tif")
    for channel in ("1", "ex_642"):
        caplog.clear()
        caplog.set_level(logging.INFO)
        arguments = [str(model), str(image), str(tmp_path / output), "--channel", channel]
        assert main([*arguments, "--threads", "1"]) == 0
        assert "segmenting spots in channel 1 of 0 to 1 (Ex_642), threshold 0.50" in caplog.text
        differing = np.count_nonzero(read_mask(tmp_path / output) != expected_mask(model))
        assert differing <= 2
    assert main([str(model), str(image), str(tmp_path / "other.tif")]) == 1
    assert "found a constant channel (another --channel?" in caplog.text
    assert main([*arguments[:-1], "Ex_561"]) == 1
    assert "expected a number from 0 to 1 or a name (autofluorescence, Ex_642)" in caplog.text


@pytest.mark.parametrize("kind", [".nii.gz", "-planes"])
def test_objects_and_a_picture_lie_beside_the_mask(tmp_path, model, caplog, kind):
    caplog.set_level(logging.INFO)
    image = write_image(tmp_path, kind)
    arguments = [str(model), str(image), str(tmp_path / "mask.nii.gz"), "--threads", "1"]
    assert main([*arguments, "--voxel-size-um", "6", "2", "2"]) == 0
    objects = pd.read_csv(tmp_path / "mask.objects.tsv", sep="\t")
    mask = read_mask(tmp_path / "mask.nii.gz")
    assert len(objects) == cc3d.connected_components(mask, connectivity=26).max()
    assert objects["voxels"].sum() == mask.sum()
    assert objects["volume_um3"].sum() == pytest.approx(24 * mask.sum())
    assert (tmp_path / "mask.overlay.png").read_bytes().startswith(b"\x89PNG")
    assert f"{len(objects)} objects" in caplog.text
    for name in ("mask.nii.gz", "mask.objects.tsv", "mask.overlay.png"):
        assert f"wrote {tmp_path / name}" in caplog.text


@pytest.mark.parametrize(
    ("trained", "options", "said"),
    [
        ([[6.0, 2.0, 2.0]], "", None),
        ([[6.5, 2.2, 2.2]], "", None),
        ([[2.0, 2.0, 2.0]], "", "voxels of 2×2×2 µm (z,y,x) as in training, found 6×2×2 µm"),
        (
            [[6.0, 2.0, 2.0]],
            "--voxel-size-um 2 2 6",
            "found 2×2×6 µm (z,y,x) in --voxel-size-um (correct it if that is wrong",
        ),
        (
            [[2.0, 2.0, 2.0]],
            "--allow other-voxel-size",
            "as in training, found 6×2×2 µm (z,y,x) in the image, allowed",
        ),
        ([], "", "the model file holds no voxel size of its training"),
    ],
)
def test_voxels_are_compared_with_those_of_training(tmp_path, caplog, trained, options, said):
    model = write_model(tmp_path / "model.pt", training_voxel_sizes_um={"spots": trained})
    image = write_two_channels(tmp_path / "image.ome.tif")
    arguments = [str(model), str(image), str(tmp_path / "mask.mha"), "--channel", "1"]
    refused = bool(said) and "--allow" not in options and bool(trained)
    assert main([*arguments, *options.split()]) == refused
    assert (tmp_path / "mask.mha").exists() != refused
    assert said is None or said in caplog.text


def test_a_stated_voxel_size_wins_on_disk_and_names_of_configurations_are_known(model, tmp_path):
    image = write_two_channels(tmp_path / "image.ome.tif")  # states 6 × 2 × 2
    arguments = [str(model), str(image), str(tmp_path / "mask.h5"), "--channel", "1"]
    stated = ["--voxel-size-um", "5", "1", "1", "--allow", "empty-mask", "other-geometry"]
    assert main([*arguments, *stated]) == 0
    with SegmentationFile(tmp_path / "mask.h5") as found:
        assert found.voxel_size_um == (5.0, 1.0, 1.0)


def test_what_is_wrong_with_the_files_is_found_before_torch_is_loaded(tmp_path, repository):
    model = write_model(tmp_path / "model.pt")
    image = write_two_channels(tmp_path / "image.ome.tif")
    code = """
import sys
from selma3d.segment import main
model, image, folder = sys.argv[1:]
assert main([model, image, folder + "/mask.tif", "--channel", "2"]) == 1
assert main([image, image, folder + "/mask.tif"]) == 1
assert main([model, image, folder + "/mask.png"]) == 1
assert main([model, image, folder + "/nowhere/mask.tif"]) == 1
assert main([model, folder + "/absent.nii", folder + "/mask.tif"]) == 1
assert "torch" not in sys.modules
"""
    subprocess.run(
        [sys.executable, "-c", code, str(model), str(image), str(tmp_path)],
        check=True,
        env=os.environ | {"PYTHONPATH": str(repository / "workflow" / "scripts")},
    )


TURNED = (-1, 0, 0, 0, -1, 0, 0, 0, 1)
TRANSPOSED = (0, 1, 0, 1, 0, 0, 0, 0, 1)


@pytest.mark.parametrize("direction", [TURNED, TRANSPOSED])
@pytest.mark.parametrize("kinds", [(".mha", ".mha"), (".nii.gz", ".nii.gz"), (".nii.gz", ".mha"),
                                   (".mha", ".nii.gz"), (".nii", ".nii.gz")])  # fmt: skip
def test_a_mask_lies_on_its_image(tmp_path: Path, model: Path, kinds, direction) -> None:
    image = SimpleITK.GetImageFromArray(noise(SHAPE))
    image.SetSpacing((0.0016, 0.0017, 0.006))
    image.SetOrigin((1.5, -2.25, 7.0))
    image.SetDirection(direction)
    given, asked = tmp_path / f"in{kinds[0]}", tmp_path / f"out{kinds[1]}"
    SimpleITK.WriteImage(image, str(given))
    assert main([str(model), str(given), str(asked), "--threads", "1"]) == 0
    mask = SimpleITK.ReadImage(str(asked))
    np.testing.assert_allclose(mask.GetSpacing(), image.GetSpacing(), rtol=1e-5)
    np.testing.assert_allclose(mask.GetOrigin(), image.GetOrigin(), rtol=1e-5)
    np.testing.assert_allclose(mask.GetDirection(), image.GetDirection(), atol=1e-6)


def test_a_stated_voxel_size_wins_and_the_place_stays(tmp_path: Path, model: Path) -> None:
    image = SimpleITK.GetImageFromArray(noise(SHAPE))
    image.SetOrigin((1.5, -2.25, 7.0))
    SimpleITK.WriteImage(image, str(tmp_path / "in.mha"))
    size = ["--voxel-size-um", "6", "1.7", "1.6"]
    arguments = [str(model), str(tmp_path / "in.mha"), str(tmp_path / "out.mha"), *size]
    assert main([*arguments, "--threads", "1"]) == 0
    mask = SimpleITK.ReadImage(str(tmp_path / "out.mha"))
    np.testing.assert_allclose(mask.GetSpacing(), (0.0016, 0.0017, 0.006))
    assert mask.GetOrigin() == image.GetOrigin()


@pytest.mark.parametrize("change", ["planes", "voxel size", "nothing"])
def test_unfinished_work_is_continued_for_the_same_planes_only(
    tmp_path: Path, model: Path, monkeypatch, caplog, change: str
) -> None:
    class KilledError(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise KilledError

    scan, out = tmp_path / "scan", tmp_path / "out.h5"
    scan.mkdir()

    def export_planes(seed: int) -> None:
        for z, plane in enumerate(noise(SHAPE, seed)):
            tifffile.imwrite(scan / f"z{z:03d}.tif", plane)

    export_planes(1)
    arguments = [str(model), str(scan), str(out), "--threads", "1"]
    with monkeypatch.context() as patched, pytest.raises(KilledError):
        patched.setattr("selma3d.inference.segment_volume", killed)
        main(arguments)
    if change == "planes":
        export_planes(2)
    size = ["--voxel-size-um", "6", "2", "2"] if change == "voxel size" else []
    caplog.clear()
    caplog.set_level(logging.INFO)
    assert main([*arguments, *size]) == 0
    assert ("removed" in caplog.text) == (change != "nothing")
    assert ("converting" in caplog.text) == (change != "nothing")
    clean = tmp_path / "clean.h5"
    assert main([str(model), str(scan), str(clean), "--threads", "1", *size]) == 0
    with SegmentationFile(out) as found, SegmentationFile(clean) as expected:
        np.testing.assert_array_equal(found.mask[()], expected.mask[()])
        assert found.voxel_size_um == expected.voxel_size_um
