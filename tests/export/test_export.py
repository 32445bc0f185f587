"""What is exported opens in independent readers, with the right axes and voxel sizes."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import nibabel
import numpy as np
import pytest
import SimpleITK
import tensorstore
import tifffile
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v04 import Image as OmeZarr

from selma3d.export import FORMATS, export, export_instances, suffix_of
from selma3d.export.container import pack_container
from selma3d.images import Intensity
from selma3d.images.geometry import Geometry
from selma3d.images.hdf5_writing import writing_hdf5
from selma3d.images.storage import stamp, write_array
from selma3d.inference import load_model
from selma3d.inference.cases import binarise
from selma3d.system.errors import InputError
from small_models import noise, write_model

SHAPE = (70, 300, 130)  # more than a chunk deep, a tile high; no two axes alike
SIZE_UM = (6.0, 1.6, 1.5)


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    return (noise(SHAPE) > 600).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".ome.tif", ".tiff"])
def test_ome_tiff_has_axes_and_sizes(tmp_path: Path, mask: np.ndarray, suffix: str) -> None:
    export(mask, tmp_path / f"mask{suffix}", Geometry.of_size(SIZE_UM))
    with tifffile.TiffFile(tmp_path / f"mask{suffix}") as tiff:
        assert tiff.series[0].axes == "ZYX"
        np.testing.assert_array_equal(tiff.asarray(), mask)
        pixels = ElementTree.fromstring(tiff.ome_metadata).find(".//{*}Pixels")
    assert [float(pixels.get(f"PhysicalSize{axis}")) for axis in "ZYX"] == list(SIZE_UM)
    assert {pixels.get(f"PhysicalSize{axis}Unit") for axis in "ZYX"} == {"µm"}


def test_ome_tiff_leaves_an_unknown_size_out(tmp_path: Path, mask: np.ndarray) -> None:
    export(mask, tmp_path / "mask.ome.tif", Geometry.of_size(None))
    with tifffile.TiffFile(tmp_path / "mask.ome.tif") as tiff:
        assert "PhysicalSize" not in tiff.ome_metadata


@pytest.mark.parametrize(("size", "unit"), [(SIZE_UM, "micrometer"), (None, None)])
def test_ome_zarr_opens_with_its_reader(tmp_path: Path, mask: np.ndarray, size, unit) -> None:
    path = tmp_path / "mask.ome.zarr"
    export(mask, path, Geometry.of_size(size))
    node = next(iter(Reader(parse_url(str(path)))()))
    levels = [level.compute() for level in node.data]
    assert [level.shape for level in levels] == [SHAPE, (35, 150, 65), (18, 75, 33)]
    np.testing.assert_array_equal(levels[0], mask)
    axes = node.metadata["axes"]
    assert [axis["name"] for axis in axes] == ["z", "y", "x"]
    assert {axis.get("unit") for axis in axes} == {unit}
    scale, translation = node.metadata["coordinateTransformations"][1]
    voxel = np.array(size or (1, 1, 1))
    assert scale["scale"] == (2 * voxel).tolist()
    assert translation["translation"] == (voxel / 2).tolist()
    attributes = json.loads((path / ".zattrs").read_text())
    assert attributes["multiscales"][0]["version"] == "0.4"
    assert attributes["image-label"] == {"version": "0.4"}
    assert zarr.open_group(path, mode="r").metadata.zarr_format == 2


@pytest.mark.parametrize("kind", ["mask", "labels"])
def test_levels_open_as_neuroglancer_takes_them_and_keep_to_the_standard(tmp_path, mask, kind):
    path, voxels = tmp_path / f"a.{kind}.ome.zarr", mask
    if kind == "mask":
        export(mask, path, Geometry.of_size(SIZE_UM))
    else:
        voxels = mask * np.uint32(70_000)
        with writing_hdf5(tmp_path / "labels.h5") as file:
            stamp(file, "instances")
            write_array(file, "labels", voxels)
            file.attrs["voxel_size_um"] = SIZE_UM
        export_instances(tmp_path / "labels.h5", path)
    image = OmeZarr.from_zarr(zarr.open_group(path, mode="r")).attributes.multiscales[0]
    assert [(a.name, a.type, a.unit) for a in image.axes] == [
        (axis, "space", "micrometer") for axis in "zyx"
    ]
    for level, dataset in enumerate(image.datasets):
        place = {"driver": "file", "path": str(path / dataset.path)}
        array = tensorstore.open({"driver": "zarr", "kvstore": place}, open=True).result()
        assert array.shape == tuple(-(-n // 2**level) for n in SHAPE)
        assert array.dtype.numpy_dtype == voxels.dtype
        scale = np.array(dataset.coordinateTransformations[0].scale)
        beyond = scale * array.shape - np.multiply(SIZE_UM, SHAPE)  # all of the image is there
        assert np.all((beyond > -1e-9) & (beyond < scale))
        if level == 0:
            np.testing.assert_array_equal(array.read().result(), voxels)


@pytest.mark.parametrize("suffix", [".ome.zarr", ".ome.tif", ".nii.gz", ".mha"])
def test_labels_keep_ids_beyond_16_bits_in_every_format(tmp_path: Path, suffix: str) -> None:
    labels = np.zeros((5, 6, 7), np.uint32)
    labels[1, 2, 3], labels[4, 5, 6] = 70_000, 3_000_000
    with writing_hdf5(tmp_path / "labels.h5") as file:
        stamp(file, "instances")
        write_array(file, "labels", labels)
        file.attrs["voxel_size_um"] = SIZE_UM
    path = tmp_path / f"labels{suffix}"
    export_instances(tmp_path / "labels.h5", path)
    if suffix == ".ome.zarr":
        found = zarr.open_group(path, mode="r")["0"][:]
    elif suffix == ".ome.tif":
        found = tifffile.imread(path)
    else:
        found = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    np.testing.assert_array_equal(found, labels)


def test_lower_levels_keep_every_object(tmp_path: Path) -> None:
    mask = np.zeros((5, 300, 7), np.uint8)
    mask[4, 299, 6] = mask[1, 0, 1] = 1
    export(mask, tmp_path / "mask.ome.zarr", Geometry.of_size(None))
    half = zarr.open_group(tmp_path / "mask.ome.zarr", mode="r")["1"][:]
    assert np.argwhere(half).tolist() == [[0, 0, 0], [2, 149, 3]]


def test_mha_has_axes_and_millimetres(tmp_path: Path, mask: np.ndarray) -> None:
    export(mask, tmp_path / "mask.mha", Geometry.of_size(SIZE_UM))
    image = SimpleITK.ReadImage(str(tmp_path / "mask.mha"))
    assert image.GetSize() == SHAPE[::-1]
    assert image.GetSpacing() == pytest.approx((0.0015, 0.0016, 0.006))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), mask)
    assert (tmp_path / "mask.mha").stat().st_size < mask.size / 4
    export(mask, tmp_path / "mask.mha", Geometry.of_size(None))
    assert SimpleITK.ReadImage(str(tmp_path / "mask.mha")).GetSpacing() == (1, 1, 1)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_has_axes_and_micrometres(tmp_path: Path, mask: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"mask{suffix}"
    export(mask, path, Geometry.of_size(SIZE_UM))
    image = nibabel.load(path)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj).transpose(2, 1, 0), mask)
    assert image.header.get_zooms() == pytest.approx((1.5, 1.6, 6.0))
    assert image.header.get_xyzt_units()[0] == "micron"
    again = SimpleITK.ReadImage(str(path))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(again), mask)
    export(mask, path, Geometry.of_size(None))
    unknown = nibabel.load(path)
    assert unknown.header.get_xyzt_units()[0] == "unknown"
    assert unknown.header.get_zooms() == (1, 1, 1)


def test_exports_are_whole_or_absent(tmp_path: Path, mask: np.ndarray, monkeypatch) -> None:
    monkeypatch.setattr(gzip, "compress", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(mask, tmp_path / "mask.nii.gz", Geometry.of_size(None))

    class Broken(np.ndarray):
        def __getitem__(self, region):
            if isinstance(region[0], slice) and region[0].start:
                raise OSError("a disk that fails")
            return np.asarray(self)[region]

    broken = np.zeros((300, 10, 10), np.uint8).view(Broken)
    for name in ("mask.ome.zarr", "mask.ome.tif"):
        with pytest.raises(OSError, match="a disk that fails"):
            export(broken, tmp_path / name, Geometry.of_size(None))
    assert list(tmp_path.iterdir()) == []


def test_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"mask\.png: expected a name that ends in .ome.zarr"):
        suffix_of(Path("mask.png"))
    assert all(suffix_of(Path(f"mask{suffix}")) == suffix for suffix in FORMATS)


SLUGS = {"input": "images/3d-brain-microscopy", "output": "images/brain-structure"}


@pytest.fixture
def context(tmp_path: Path) -> Path:
    model = load_model(write_model(tmp_path / "model.pt", structures={"spots": {"channel": 1}}))
    pack_container(model, tmp_path / "context", structure="spots", slugs=SLUGS, overlap=0.5)
    return tmp_path / "context"


def run_entry(context: Path, roots: Path) -> subprocess.CompletedProcess[str]:
    """Run the entry as the image does: from its context, not from this checkout."""
    environment = os.environ | {
        "SELMA3D_INPUT": str(roots / "input"),
        "SELMA3D_OUTPUT": str(roots / "output"),
        "PYTHONPATH": str(context),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "selma3d.export.container_entry", str(context)]
    return subprocess.run(
        command, env=environment, cwd=context, capture_output=True, text=True, timeout=600
    )


@pytest.mark.parametrize("suffix", [".mha", ".tiff"])
def test_container_entry_segments_one_image(tmp_path: Path, context: Path, suffix: str) -> None:
    folder = tmp_path / "input" / SLUGS["input"]
    folder.mkdir(parents=True)
    image = noise((20, 24, 28))
    if suffix == ".mha":
        stored = SimpleITK.GetImageFromArray(image)
        stored.SetSpacing((1.5, 1.6, 6.0))
        stored.SetOrigin((3, 4, 5))
        SimpleITK.WriteImage(stored, str(folder / "brain.mha"))
    else:
        tifffile.imwrite(folder / "brain.tiff", image, metadata={"axes": "ZYX"})
    ran = run_entry(context, tmp_path)
    assert ran.returncode == 0, ran.stderr
    output = tmp_path / "output" / SLUGS["output"] / "output.mha"
    found = SimpleITK.ReadImage(str(output))
    model = load_model(tmp_path / "model.pt")
    expected = binarise(model, model.probability(image, Intensity.of(image)))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(found), expected)
    assert b"CompressedData = True" in output.read_bytes()[:1000]
    if suffix == ".mha":
        assert found.GetSpacing() == (1.5, 1.6, 6.0)
        assert found.GetOrigin() == (3, 4, 5)


def test_container_entry_without_an_image_is_one_clear_line(tmp_path: Path, context: Path) -> None:
    ran = run_entry(context, tmp_path)
    assert ran.returncode == 1
    assert "error:" in ran.stderr
    assert "expected one image (.mha, .tif, .tiff), found none" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_container_context_holds_all_that_the_image_needs(context: Path) -> None:
    pins = (context / "requirements.txt").read_text().splitlines()
    assert all("==" in pin and "+" not in pin for pin in pins)
    assert "ENTRYPOINT" in (context / "Dockerfile").read_text()
    assert not list(context.rglob("__pycache__"))
