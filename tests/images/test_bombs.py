"""Images that promise much and hold little: refused in one line, before anything is allocated."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import tifffile

from selma3d.images import PatchFile
from selma3d.images.readers import open_image, read_image
from selma3d.system.errors import InputError

MOST = 60e6  # bytes that a refusal may take; the bombs speak of gigabytes
GREY = np.random.default_rng(0).integers(0, 4000, (4, 5, 6)).astype(np.uint16)


def nifti_head(shape: tuple[int, ...], kind: type = nibabel.Nifti1Image, **fields: float) -> bytes:
    header = kind.header_class()
    header.set_data_dtype(np.uint8)
    header["dim"][: len(shape) + 1] = (len(shape), *shape)
    header["magic"] = b"n+1" if kind is nibabel.Nifti1Image else b"n+2"
    header["vox_offset"] = 352 if kind is nibabel.Nifti1Image else 544
    for key, value in fields.items():
        header[key] = value
    return header.binaryblock + bytes(4)


def zeros_packed(size: int, head: bytes = b"") -> bytes:
    """A gzip stream of a head and so many zeros, made a part at a time."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(head)]
    parts += [packer.compress(bytes(1 << 24)) for _ in range(size >> 24)]
    return b"".join([*parts, packer.flush()])


def npy_head(descr: str, shape: str) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def mha(*keys: str, voxels: bytes = b"") -> bytes:
    lines = ["ObjectType = Image", "NDims = 3", "ElementType = MET_UCHAR", *keys]
    return "\n".join([*lines, "ElementDataFile = LOCAL\n"]).encode() + voxels


def pages(count: int, after: int = 0) -> bytes:
    """A TIFF of so many empty pages; the last one points to byte `after`."""
    page = struct.Struct("<HI")
    rest = [page.pack(0, 8 + page.size * (n + 1)) for n in range(count - 1)]
    return struct.pack("<2sHI", b"II", 42, 8) + b"".join([*rest, page.pack(0, after)])


def one_tag(kind: int, count: int, size: int) -> bytes:
    head = struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, 273, kind, count, 26, 0)
    return head + bytes(size)


def ome(text: str) -> bytes:
    content = io.BytesIO()
    plain = np.zeros((2, 16, 16), np.uint8)
    tifffile.imwrite(content, plain, description=text, metadata=None, photometric="minisblack")
    return content.getvalue()


PIXELS = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="16" '
    'SizeY="16" SizeZ="{z}" SizeC="1" SizeT="{t}"><TiffData IFD="0" PlaneCount="{count}"/>'
    "</Pixels></Image></OME>"
)
ENTITIES = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' + "<OME>&a;</OME>"


def packed_tiff(side: int) -> bytes:
    """Three pages of zeros."""
    content = io.BytesIO()
    zeros = np.broadcast_to(np.uint8(0), (3, side, side))
    tifffile.imwrite(content, zeros, compression="zlib", metadata=None, photometric="minisblack")
    return content.getvalue()


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "NIfTI of 27 TB": ("a.nii", lambda: nifti_head((30_000,) * 3), "promise of 27000000000000"),
    "NIfTI-2 of 1e18": (
        "a.nii",
        lambda: nifti_head((10**6,) * 3, nibabel.Nifti2Image),
        "promise of 10{18}",
    ),
    "NIfTI below zero": ("a.nii", lambda: nifti_head((-5, 5, 5)), "found"),
    "NIfTI far ahead": ("a.nii", lambda: nifti_head((4,) * 3, vox_offset=9e9), "before the voxels"),
    "packed NIfTI of 27 TB": (
        "a.nii.gz",
        lambda: gzip.compress(nifti_head((30_000,) * 3)),
        "promise of 27000000000000",
    ),
    "packed NIfTI of 1 GB, all there": (
        "a.nii.gz",
        lambda: zeros_packed(10**9, nifti_head((1000,) * 3)),
        "promise of 1000000000 ",
    ),
    "packed NIfTI scaled to 8 times": (
        "a.nii.gz",
        lambda: zeros_packed(1 << 26, nifti_head((256, 512, 512), scl_slope=2.0)),
        "promise of 536870912 ",
    ),
    "more in the stream than its header says": (
        "a.nii.gz",
        lambda: zeros_packed(1 << 30, nifti_head((4, 4, 4))),
        "found more",
    ),
    "NPY of 27 TB": ("a.npy", lambda: npy_head("|u1", "(30000, 30000, 30000)"), "does not read"),
    "NPY of wide texts": ("a.npy", lambda: npy_head("<U100000000", "(9, 9, 9)"), "does not read"),
    "NPY within the limit": ("a.npy", lambda: npy_head("<f8", "(900, 900, 900)"), "does not read"),
    "MHA of 27 TB": ("a.mha", lambda: mha("DimSize = 30000 30000 30000"), "promise of 27"),
    "packed MHA of 1 GB, all there": (
        "a.mha",
        lambda: mha(
            "DimSize = 1024 1024 1024",
            "CompressedData = True",
            voxels=zlib.compress(bytes(1 << 30)),
        ),
        "promise of 1073741824 ",
    ),
    "MHA of numbers as text": (
        "a.mha",
        lambda: mha("DimSize = 9000 9000 9", "BinaryData = False", voxels=b"1 2 3"),
        "promise of 729000000",
    ),
    "TIFF in a circle": ("a.tif", lambda: pages(3, after=8), "leads back"),
    "TIFF of 60,000 pages": ("a.tif", lambda: pages(60_000), "at most 50000 pages"),
    "TIFF with a tag beyond its end": ("a.tif", lambda: one_tag(4, 1 << 19, 9), "beyond its end"),
    "TIFF with a tag of 4e9 values": ("a.tif", lambda: one_tag(4, (1 << 32) - 1, 9), "values"),
    "OME of a billion planes": (
        "a.ome.tif",
        lambda: ome(PIXELS.format(z=10**9, t=1, count=1)),
        "promise of 1000000000 ",
    ),
    "OME of planes that multiply": (
        "a.ome.tif",
        lambda: ome(PIXELS.format(z=40_000, t=40_000, count=1)),
        "promise of 1600000000 ",
    ),
    "OME of a long count": (
        "a.ome.tif",
        lambda: ome(PIXELS.format(z=2, t=1, count=10**30)),
        "at most 50000 planes",
    ),
    "OME with entities": ("a.ome.tif", lambda: ome(ENTITIES), "entities"),
    "TIFF pages of zeros": ("a.tif", lambda: packed_tiff(8192), "promise of 201326592 "),
}  # fmt: skip


@pytest.fixture
def allocated() -> Iterator[Callable[[], int]]:
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize("what", BOMBS)
def test_a_promise_is_compared_with_limits_before_a_byte_is_allocated(
    tmp_path: Path, allocated: Callable[[], int], what: str
) -> None:
    name, made, message = BOMBS[what]
    (tmp_path / name).write_bytes(made())
    base = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    with pytest.raises(InputError, match=message) as refused:
        read_image(tmp_path / name)
    assert allocated() - base < MOST
    assert str(tmp_path / name) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_mask_is_not_much_larger_than_its_image(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((20, 20, 20), np.uint8))
    with pytest.raises(InputError, match=r"at most 1000 voxels.*found a promise of 8000"):
        read_image(tmp_path / "a.npy", 1000)
    assert read_image(tmp_path / "a.npy", 8000).array.shape == (1, 20, 20, 20)


def test_a_limit_is_raised_where_it_is_said(tmp_path: Path, monkeypatch) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 6), np.uint8))
    monkeypatch.setenv("SELMA3D_IMAGE_BYTES", "100")
    with pytest.raises(InputError, match=r"at most 100 bytes.*set SELMA3D_IMAGE_BYTES higher"):
        read_image(tmp_path / "a.npy")
    monkeypatch.setenv("SELMA3D_IMAGE_BYTES", "1e9")
    assert read_image(tmp_path / "a.npy").array.size == 120
    monkeypatch.setenv("SELMA3D_IMAGE_BYTES", "much")
    with pytest.raises(InputError, match="SELMA3D_IMAGE_BYTES: expected a number, found 'much'"):
        read_image(tmp_path / "a.npy")


def test_a_plane_that_is_a_pipe_or_loops_is_refused(tmp_path: Path) -> None:
    for name, spoil in (("pipe", os.mkfifo), ("loop", lambda p: p.write_bytes(pages(2, after=8)))):
        folder = tmp_path / name
        folder.mkdir()
        tifffile.imwrite(folder / "z0.tif", GREY[0])
        spoil(folder / "z1.tif")
        with pytest.raises(InputError, match=r"z1\.tif: .*(found a folder, pipe|leads back)"):
            open_image(folder)


@pytest.mark.parametrize(
    ("shape", "chunks", "message"),
    [
        ((30_000,) * 3, (64,) * 3, "promise of 27000000000000"),
        ((1000,) * 3, (64,) * 3, "promise of 1000000000"),
        ((900,) * 3, (900,) * 3, "bytes in a chunk"),
    ],
)
def test_hdf5_that_declares_more_than_it_holds(tmp_path: Path, shape, chunks, message) -> None:
    with h5py.File(tmp_path / "p.h5", "w") as file:
        file.attrs.update({"kind": "patches", "contract_version": 1})
        file.create_group("a").create_dataset("mask", shape, np.uint8, chunks=chunks)
    with (
        pytest.raises(InputError, match=rf"p\.h5: /a/mask: .*{message}"),
        PatchFile(tmp_path / "p.h5") as patches,
    ):
        patches.mask("a")


def test_gzip_of_several_members_and_padding_is_read(tmp_path: Path) -> None:
    content = nibabel.Nifti1Image(GREY.T, np.eye(4), dtype=np.uint16).to_bytes()
    half = len(content) // 2
    members = gzip.compress(content[:half]) + gzip.compress(content[half:] + bytes(512))
    (tmp_path / "a.nii.gz").write_bytes(members + bytes(16))
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii.gz").array[0], GREY)
