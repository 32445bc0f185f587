"""Large NIfTI and MHA are read a few planes at a time, and are what they are when read whole."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from selma3d.images.readers import ImageFile, open_image, read_image
from selma3d.system.errors import InputError

GREY = np.random.default_rng(0).integers(0, 60000, (2, 21, 20, 31)).astype(np.uint16)


def nifti(path: Path, array: np.ndarray, kind: type = nibabel.Nifti1Image) -> None:
    nibabel.save(kind(array.T, np.eye(4)), path)


def scaled(path: Path) -> None:
    image = nibabel.Nifti1Image(GREY[0].T, np.eye(4))
    image.header.set_slope_inter(2.0, -3.0)
    image.to_filename(path)


def big_endian(path: Path) -> None:
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">u2")
    nibabel.save(nibabel.Nifti1Image(GREY[0].T, np.eye(4), header), path)


def in_members(path: Path) -> None:
    content = nibabel.Nifti1Image(GREY[0].T, np.eye(4)).to_bytes()
    parts = content[:9000], content[9000:9001], content[9001:]
    path.write_bytes(b"".join(map(gzip.compress, parts)) + bytes(50))


def mha(path: Path, array: np.ndarray, packed: bool, vectors: bool = False) -> None:
    image = SimpleITK.GetImageFromArray(array, isVector=vectors)
    SimpleITK.WriteImage(image, str(path), useCompression=packed)


FILES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "NIfTI": ("a.nii", lambda path: nifti(path, GREY[0])),
    "NIfTI of channels": ("a.nii", lambda path: nifti(path, GREY[:, None])),
    "NIfTI, scaled": ("a.nii", scaled),
    "NIfTI, big endian": ("a.nii", big_endian),
    "NIfTI-2, packed": ("a.nii.gz", lambda path: nifti(path, GREY, nibabel.Nifti2Image)),
    "NIfTI, packed and scaled": ("a.nii.gz", scaled),
    "NIfTI, packed in members": ("a.nii.gz", in_members),
    "MHA": ("a.mha", lambda path: mha(path, GREY[0], packed=False)),
    "MHA, packed": ("a.mha", lambda path: mha(path, GREY[0], packed=True)),
    "MHA of channels": ("a.mha", lambda path: mha(path, np.moveaxis(GREY, 0, -1), True, True)),
}


def streamed(path: Path) -> ImageFile:
    image = open_image(path)
    image.keep_bytes = 0  # as if it were large
    return image


@pytest.mark.parametrize("what", FILES)
def test_planes_in_any_order_are_those_of_the_whole(tmp_path: Path, what: str) -> None:
    name, write = FILES[what]
    write(tmp_path / name)
    whole = read_image(tmp_path / name).array
    with streamed(tmp_path / name) as image:
        assert image.shape == whole.shape
        last = image.shape[0] - 1
        for channel in range(image.shape[0]):
            for start in range(0, 21, 8):
                found = image.read(channel, start, min(start + 8, 21))
                np.testing.assert_array_equal(found, whole[channel, start : start + 8])
                assert found.dtype == whole.dtype
        np.testing.assert_array_equal(image.read(last, 5, 7, slice(3, 9)), whole[last, 5:7, 3:9])
        np.testing.assert_array_equal(image.plane(0, 20), whole[0, 20])


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("a.nii", lambda content: content[:-40], "expected 26040 bytes of voxels"),
        ("a.mha", lambda content: content[:-40], "expected 26040 bytes of voxels"),
        ("a.nii.gz", lambda content: content[:-40], "ended before the end"),
        ("a.nii.gz", lambda content: content[:-8] + bytes(8), "CRC check failed"),
        ("a.nii.gz", lambda content: content + gzip.compress(bytes(1 << 20)), "found more"),
        ("packed.mha", lambda content: content[:-40], "no end|bytes expected"),
    ],
)
def test_a_damaged_run_is_told_at_its_end(tmp_path: Path, name: str, spoil, message: str) -> None:
    path = tmp_path / name
    mha(path, GREY[0], name[0] == "p") if path.suffix == ".mha" else nifti(path, GREY[0])
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match=message), streamed(path) as image:
        for z in range(0, 21, 7):
            image.read(0, z, z + 7)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.mha", "packed.mha"])
def test_a_large_image_takes_the_memory_of_its_planes(tmp_path: Path, name: str) -> None:
    large = np.zeros((270, 256, 512), np.uint16)  # 71 MB
    large[::7] = 5
    packed = name[0] == "p"
    mha(tmp_path / name, large, packed) if "mha" in name else nifti(tmp_path / name, large)
    tracemalloc.start()
    with open_image(tmp_path / name) as image:
        for start in range(0, 270, 27):
            block = image.read(0, start, start + 27)
            np.testing.assert_array_equal(block[:, 0, 0], large[start : start + 27, 0, 0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * large[:27].nbytes
