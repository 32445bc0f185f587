"""Files of strangers: nothing is read that was not handed over, no promise is believed."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import SimpleITK
import tifffile

from selma3d.images import PatchFile, PatchWriter, PredictionFile, VolumeFile, write_volume
from selma3d.images.geometry import Geometry
from selma3d.images.readers import read_image
from selma3d.images.readers.formats.mha import write_mha
from selma3d.images.storage import open_hdf5
from selma3d.scoring.check import check_predictions
from selma3d.system.errors import InputError

GREY = np.random.default_rng(0).integers(0, 4000, (4, 5, 6)).astype(np.uint16)
HEADER = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "DimSize": "2 3 4",
    "ElementType": "MET_UCHAR",
}
SECRET = b"TOP-SECRET-CONTENT-OF-ANOTHER-FILE"


def mha(folder: Path, *lines: str, voxels: bytes = b"", **keys: str) -> Path:
    """An MHA of a header with these keys, these further lines, and voxels."""
    text = [f"{key} = {value}" for key, value in (HEADER | keys).items()] + list(lines)
    path = folder / "in" / "mask.mha"
    path.parent.mkdir(exist_ok=True)
    (folder / "secret.txt").write_bytes(SECRET)
    path.write_bytes("".join(f"{line}\n" for line in text).encode() + voxels)
    return path


@pytest.mark.parametrize(
    "lines",
    [
        ["ElementDataFile = ../secret.txt"],
        ["Comment = ElementDataFile = LOCAL", "ElementDataFile = ../secret.txt"],
        ["ElementDataFile = LIST", "../secret.txt"],
        ["ElementDataFile = %d.raw 1 4 1"],
        ["ElementDataFile = LOCAL ../secret.txt"],
        ["ElementDataFile ="],
        ["Comment = none of the keys is the last one"],
        [f"Comment = {'x' * 70_000}", "ElementDataFile = LOCAL"],
        ["HeaderSize = 4", "ElementDataFile = LOCAL"],
        ["ElementDataFile = LOCAL"],
    ],
)
def test_an_mha_reads_no_other_file_and_holds_all_its_voxels(tmp_path: Path, lines) -> None:
    with pytest.raises(InputError, match=r"mask\.mha: .*expected"):
        read_image(mha(tmp_path, *lines))


@pytest.mark.parametrize(
    "lines",
    [
        ["DimSize = 2 3 4", "ElementDataFile = LOCAL"],
        ["Offset = 0 0 0", "Position = 1 1 1", "ElementDataFile = LOCAL"],
        ["TransformMatrix = 1 0 0 0 1 0 0 0 1", "Rotation = -1 0 0 0 1 0 0 0 1",
         "ElementDataFile = LOCAL"],
    ],
)  # fmt: skip
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, lines) -> None:
    with pytest.raises(InputError, match="once, found it twice"):
        read_image(mha(tmp_path, *lines, voxels=bytes(24)))


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (zlib.compress(bytes(23)), "expected 24 bytes of voxels as the header says, found 23"),
        (zlib.compress(bytes(25)), "expected 24 bytes of voxels as the header says, found more"),
        (zlib.compress(bytes(24))[:-2], "that breaks off"),
        (zlib.compress(bytes(range(24)))[:-9], "(that breaks off|found \\d+ )"),
        (b"no stream at all", "incorrect header check"),
        (b"", "that breaks off"),
    ],
)
def test_a_stream_of_another_length_is_refused(tmp_path: Path, stream: bytes, message: str) -> None:
    keys = {"CompressedData": "True", "CompressedDataSize": str(len(stream))}
    with pytest.raises(InputError, match=message):
        read_image(mha(tmp_path, "ElementDataFile = LOCAL", voxels=stream, **keys))


def test_a_promise_of_terabytes_costs_nothing(tmp_path: Path) -> None:
    stream = zlib.compress(bytes(10_000))
    keys = {"CompressedData": "True", "DimSize": "30000 30000 30000"}
    with pytest.raises(InputError, match="found a promise of 27000000000000"):
        read_image(mha(tmp_path, "ElementDataFile = LOCAL", voxels=stream, **keys))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("compressed", [False, True])
def test_an_mha_of_itk_is_read_as_itk_reads_it(tmp_path: Path, kind, compressed: bool) -> None:
    image = SimpleITK.GetImageFromArray((GREY % 200).astype(kind))
    image.SetSpacing((0.0016, 0.0017, 0.006))
    image.SetOrigin((1.5, -2.25, 7.0))
    image.SetDirection((0, 0, 1, 1, 0, 0, 0, 1, 0))
    SimpleITK.WriteImage(image, str(tmp_path / "a.mha"), useCompression=compressed)
    stored = read_image(tmp_path / "a.mha")
    array, axes, geometry = stored.array[0], stored.axes, stored.geometry
    np.testing.assert_array_equal(array, SimpleITK.GetArrayFromImage(image))
    assert (array.dtype, axes) == (np.dtype(kind), "ZYX")
    assert geometry.spacing == image.GetSpacing()
    assert geometry.origin == image.GetOrigin()
    np.testing.assert_allclose(np.transpose(geometry.direction).ravel(), image.GetDirection())


def test_further_forms_of_mha_are_read_as_itk_reads_them(tmp_path: Path) -> None:
    vectors = SimpleITK.GetImageFromArray(np.stack([GREY, GREY + 1], axis=-1), isVector=True)
    SimpleITK.WriteImage(vectors, str(tmp_path / "channels.mha"))
    np.testing.assert_array_equal(read_image(tmp_path / "channels.mha").array[1], GREY + 1)
    keys = {"DimSize": "6 5 4", "ElementType": "MET_USHORT"}
    last = "ElementDataFile = LOCAL"
    voxels = GREY.astype(">u2").tobytes()
    big = mha(tmp_path, "BinaryDataByteOrderMSB = True", last, voxels=voxels, **keys)
    np.testing.assert_array_equal(read_image(big).array[0], GREY)
    words = " ".join(map(str, GREY.ravel())).encode()
    text = mha(tmp_path, last, voxels=words, **keys, BinaryData="False")
    np.testing.assert_array_equal(read_image(text).array[0], GREY)


def test_itk_reads_what_is_written(tmp_path: Path) -> None:
    turned = ((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    write_mha(GREY, tmp_path / "a.mha", Geometry((1.6, 1.7, 6.0), (1.0, 2.0, 3.0), turned, 1.0))
    image = SimpleITK.ReadImage(str(tmp_path / "a.mha"))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), GREY)
    assert image.GetSpacing() == pytest.approx((0.0016, 0.0017, 0.006))
    assert image.GetOrigin() == pytest.approx((0.001, 0.002, 0.003))
    np.testing.assert_allclose(image.GetDirection(), np.transpose(turned).ravel())


def ome(file_name: str, root: str = "", planes: int = 2) -> str:
    return (
        '<?xml version="1.0"?>'
        f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" {root}>'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="64" '
        f'SizeY="64" SizeZ="{planes}" SizeC="1" SizeT="1"><TiffData IFD="0" FirstZ="0" '
        f'PlaneCount="{planes}"><UUID FileName="{file_name}">urn:uuid:1</UUID></TiffData></Pixels>'
        "</Image></OME>"
    )


@pytest.mark.parametrize("place", ["../secret.tif", "{folder}/secret.tif", "pipe", "../in/x.tif"])
def test_an_ome_tiff_reads_no_planes_of_another_file(tmp_path: Path, place: str) -> None:
    tifffile.imwrite(tmp_path / "secret.tif", np.ones((2, 64, 64), np.uint16), metadata=None)
    path = tmp_path / "in" / "mask.ome.tif"
    path.parent.mkdir()
    os.mkfifo(path.with_name("pipe"))
    description = ome(place.format(folder=tmp_path))
    own = np.zeros((4, 64, 64), np.uint16)
    tifffile.imwrite(path, own, description=description, metadata=None, photometric="minisblack")
    with pytest.raises(InputError, match="expected one image wholly in this file, found planes in"):
        read_image(path)


def test_an_ome_tiff_may_be_renamed_and_may_name_itself(tmp_path: Path) -> None:
    own = np.random.default_rng(0).integers(0, 99, (2, 64, 64)).astype(np.uint16)
    for name, description in (
        ("renamed.ome.tif", ome("before.ome.tif", 'UUID="urn:uuid:1"')),
        ("same.ome.tif", ome("same.ome.tif", 'UUID="urn:uuid:1"')),
    ):
        path = tmp_path / name
        tifffile.imwrite(path, own, description=description, metadata=None,
                         photometric="minisblack")  # fmt: skip
        np.testing.assert_array_equal(read_image(path).array[0], own)


@pytest.mark.parametrize("name", ["a.mha", "a.nii", "a.nii.gz", "a.tif", "a.npy"])
def test_a_pipe_is_refused_and_never_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="expected a file, found a pipe or device"):
        read_image(tmp_path / name)


# Predictions and other HDF5


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    with PatchWriter(tmp_path / "cases.h5", tmp_path / "cases.tsv", "cases") as writer:
        writer.add("a", GREY[None], (GREY > 2000).astype(np.uint8))
    return tmp_path / "cases.h5"


def external_group(file: h5py.File, cases: Path) -> None:
    file["a"] = h5py.ExternalLink(cases.name, "a")


def external_mask(file: h5py.File, cases: Path) -> None:
    file.create_group("a")["mask"] = h5py.ExternalLink(str(cases), "a/mask")


def soft_link(file: h5py.File, cases: Path) -> None:
    file["b"] = h5py.ExternalLink(cases.name, "a")
    file["a"] = h5py.SoftLink("/b")


def virtual_mask(file: h5py.File, cases: Path) -> None:
    layout = h5py.VirtualLayout(GREY.shape, np.uint8)
    layout[:] = h5py.VirtualSource(str(cases), "a/mask", GREY.shape)
    file.create_group("a").create_virtual_dataset("mask", layout)


def raw_bytes_of_another_file(file: h5py.File, cases: Path) -> None:
    raw = cases.with_suffix(".raw")
    raw.write_bytes((GREY > 2000).astype(np.uint8).tobytes())
    file.create_group("a").create_dataset(
        "mask", GREY.shape, np.uint8, external=[(str(raw), 0, GREY.size)]
    )


@pytest.mark.parametrize(
    "link", [external_group, external_mask, soft_link, virtual_mask, raw_bytes_of_another_file]
)
def test_predictions_that_lead_to_the_truth_are_refused(
    tmp_path: Path, cases: Path, link: Callable[[h5py.File, Path], None]
) -> None:
    with h5py.File(tmp_path / "p.h5", "w") as file:
        file.attrs.update({"kind": "predictions", "contract_version": 1})
        link(file, cases)
    with pytest.raises(InputError, match="expected data in this file, found"):
        check_predictions(tmp_path / "p.h5", cases)
    with (
        pytest.raises(InputError, match="expected data in this file, found"),
        PredictionFile(tmp_path / "p.h5") as predictions,
    ):
        predictions.mask("a")


@pytest.mark.parametrize("link", [external_group, virtual_mask])
def test_patches_and_volumes_that_lead_elsewhere_are_refused(
    tmp_path: Path, cases: Path, link: Callable[[h5py.File, Path], None]
) -> None:
    write_volume(tmp_path / "v.h5", tmp_path / "v.tsv", GREY[None], sample="v")
    with h5py.File(tmp_path / "v.h5", "a") as file:
        del file["image"]
        link(file, cases)
        file["image"] = h5py.ExternalLink(str(cases), "a/image")
    with pytest.raises(InputError, match="found a link"), VolumeFile(tmp_path / "v.h5") as volume:
        volume.read(0, (slice(None),) * 3)
    with h5py.File(tmp_path / "p.h5", "w") as file:
        file.attrs.update({"kind": "patches", "contract_version": 1})
        link(file, cases)
    with (
        pytest.raises(InputError, match="expected data in this file, found"),
        PatchFile(tmp_path / "p.h5") as patches,
    ):
        patches.mask("a")


def test_an_hdf5_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "folder.h5").mkdir()
    for name in ("pipe.h5", "folder.h5"):
        with pytest.raises(InputError, match="found a folder, pipe or device"):
            open_hdf5(tmp_path / name)
