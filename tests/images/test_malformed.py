"""Every kind of bad input gives one line that names the file and what is wrong with it."""

from __future__ import annotations

import gzip
import os
import re
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image

from selma3d.challenge.samples import Sample
from selma3d.images import PatchFile, PatchWriter, VolumeFile, read_index
from selma3d.images.conversion.patch_conversion import PatchSettings, convert_patches
from selma3d.images.conversion.volume_conversion import VolumeSettings, convert_volume
from selma3d.system.errors import InputError

GREY = np.random.default_rng(0).integers(1, 4000, (5, 6, 7)).astype(np.uint16)  # Z,Y,X
MASK = (GREY > 3000).astype(np.uint8)
SIZES = ("PhysicalSizeZ", "PhysicalSizeY", "PhysicalSizeX")
RAW, GT = "s/raw/patchvolume_000_0000.nii.gz", "s/gt/patchvolume_000.nii.gz"


def nifti(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array.T, np.eye(4), dtype=array.dtype), path)


@pytest.fixture
def archive(tmp_path) -> Path:
    """One good patch, two good channels of planes."""
    nifti(tmp_path / RAW, GREY)
    nifti(tmp_path / GT, MASK)
    for channel in ("C00", "C01"):
        (tmp_path / channel).mkdir()
        for z, plane in enumerate(GREY):
            tifffile.imwrite(tmp_path / channel / f"z{z}.tif", plane, compression="zlib")
    return tmp_path


def row(**cells: str) -> Sample:
    """A row of a samples table; cells that are not given are empty."""
    names = dict.fromkeys(Sample.model_fields, "")
    return Sample(**names | {"structure": "s", "kind": "patch"} | cells)


def convert_archive(root: Path, **options) -> None:
    kind = PatchSettings(options.pop("kind", "patches"))
    settings = {"folder": "s", "rows": [], "structure": "s", "settings": kind} | options
    h5 = root / "out" / "patches.h5"
    convert_patches(root, h5=h5, tsv=h5.with_suffix(".tsv"), **settings)


def convert_planes(root: Path, sources=("C00", "C01"), **options) -> None:
    settings = {"sample": "s1", "specimen": "", "voxel_size_um": None} | options
    out = root / "out"
    convert_volume(
        [root / name for name in sources], out / "v.h5", out / "v.tsv", out / "work", **settings
    )


def truncate(path: Path, share: float = 0.7) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def replace_image(root: Path, name: str) -> Path:
    """Another format in the place of the good NIfTI image; the mask stays."""
    (root / RAW).unlink()
    return root / "s" / "raw" / name


# One function a fault: it spoils the archive that it is given, or returns other arguments.


def image_with(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return lambda root: nifti(root / RAW, change(GREY))


def mask_with(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return lambda root: nifti(root / GT, change(MASK))


def one_voxel(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.astype(np.float64)
        array[2, 3, 4] = value
        return array

    return change


def checksum_wrong(root: Path) -> None:
    content = bytearray(gzip.compress(gzip.decompress((root / RAW).read_bytes())))
    content[-6] ^= 0xFF
    (root / RAW).write_bytes(content)


def plain_truncated(root: Path) -> None:
    nifti(replace_image(root, "patchvolume_000_0000.nii"), GREY)
    truncate(root / "s/raw/patchvolume_000_0000.nii")


def colour_nifti(root: Path) -> None:
    colour = np.zeros(GREY.T.shape, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(colour, np.eye(4)), root / RAW)


def second_file_of_a_channel(root: Path) -> None:
    nifti(root / "s/raw/patchvolume_000_0000.nii", GREY)


def same_id_under_two_names(root: Path) -> None:
    nifti(root / "s/raw/000_0000.nii.gz", GREY)
    nifti(root / "s/gt/000.nii.gz", MASK)


def second_patch_with_two_channels(root: Path) -> None:
    for channel in range(2):
        nifti(root / f"s/raw/patchvolume_001_{channel:04d}.nii.gz", GREY + channel)
    nifti(root / "s/gt/patchvolume_001.nii.gz", MASK)


def link_out_of_the_archive(root: Path) -> None:
    outside = root.parent / f"{root.name}-outside.nii.gz"
    shutil.move(root / RAW, outside)
    (root / RAW).symlink_to(outside)


def pickled_npy(root: Path) -> None:
    np.save(
        replace_image(root, "patchvolume_000_0000.npy"), np.array([{}], object), allow_pickle=True
    )


def truncated_npy(root: Path) -> None:
    path = replace_image(root, "patchvolume_000_0000.npy")
    np.save(path, GREY)
    truncate(path)


def archive_of_arrays(root: Path) -> None:
    np.savez(root / "arrays.npz", a=GREY)
    shutil.move(root / "arrays.npz", replace_image(root, "patchvolume_000_0000.npy"))


def mha(root: Path) -> Path:
    path = replace_image(root, "patchvolume_000_0000.mha")
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(GREY), str(path))
    return path


def mha_with(root: Path, spacing: str) -> None:
    path = mha(root)
    path.write_bytes(path.read_bytes().replace(b"ElementSpacing = 1 1 1", spacing.encode()))


def mha_with_voxels_elsewhere(root: Path) -> None:
    path = mha(root)
    path.write_bytes(
        path.read_bytes().replace(b"ElementDataFile = LOCAL", b"ElementDataFile = ../../x")
    )


def tiff(array: np.ndarray, **options) -> Callable[[Path], None]:
    return lambda root: tifffile.imwrite(
        replace_image(root, "patchvolume_000_0000.tif"), array, **options
    )


def inverted_bits(root: Path) -> None:
    """By Pillow: truth values of which 0 is white."""
    pages = [Image.fromarray(plane) for plane in GREY > 2000]
    path = replace_image(root, "patchvolume_000_0000.tif")
    pages[0].save(path, save_all=True, append_images=pages[1:], tiffinfo={262: 0})


def truncated_tiff(root: Path) -> None:
    tiff(GREY, photometric="minisblack")(root)
    truncate(root / "s/raw/patchvolume_000_0000.tif", 0.4)


def tiff_without_its_last_pages(root: Path) -> None:
    """Broken off between two pages, which tifffile would read as a thinner stack."""
    path = replace_image(root, "patchvolume_000_0000.tif")
    tifffile.imwrite(path, GREY, photometric="minisblack", compression="zlib", metadata=None)
    with tifffile.TiffFile(path) as file:
        end = file.pages[3].offset
    path.write_bytes(path.read_bytes()[:end])


def plane(z: int, array: np.ndarray, name: str = "z{}.tif", **options) -> Callable[[Path], None]:
    return lambda root: tifffile.imwrite(root / "C01" / name.format(z), array, **options)


def plane_without_voxels(root: Path) -> None:
    """A strip that was never written, which tifffile would read as zeros."""
    with tifffile.TiffFile(root / "C01/z2.tif", mode="r+") as file:
        file.pages[0].tags["StripByteCounts"].overwrite([0])


def spoilt_plane(root: Path, z: int = 2) -> None:
    path = root / f"C01/z{z}.tif"
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        (offset,), (count,) = file.pages[0].dataoffsets, file.pages[0].databytecounts
    content[offset : offset + count] = b"\xff" * count
    path.write_bytes(content)


def two_spoilt_neighbours(root: Path) -> dict:
    spoilt_plane(root, 2)
    spoilt_plane(root, 3)
    return {"settings": VolumeSettings(bad_plane="interpolate")}


def spoilt_end(root: Path) -> dict:
    (root / "C01/z0.tif").write_bytes(b"")
    return {"settings": VolumeSettings(bad_plane="interpolate")}


def rename_planes(pattern: Callable[[int], str]) -> Callable[[Path], None]:
    def fault(root: Path) -> None:
        for z in range(len(GREY)):
            (root / f"C01/z{z}.tif").rename(root / "C01" / pattern(z))

    return fault


def empty_folder(root: Path) -> None:
    shutil.rmtree(root / "C01")
    (root / "C01").mkdir()


def other_format(root: Path) -> None:
    empty_folder(root)
    (root / "C01/z0.png").write_bytes(b"x")


def write_two_images(root: Path) -> None:
    path = replace_image(root, "patchvolume_000_0000.tif")
    with tifffile.TiffWriter(path) as file:
        file.write(GREY, photometric="minisblack", metadata=None)
        file.write(GREY[:, :3], photometric="minisblack", metadata=None)


def fractional_planes(root: Path) -> None:
    for z, grey in enumerate(GREY):
        tifffile.imwrite(root / f"C01/z{z}.tif", grey + np.float32(0.5))


Fault = namedtuple("Fault", ["what", "spoil", "message"])

PATCH_FAULTS = [
    Fault("unknown extension", lambda r: (r / "s/raw/a.png").touch(), r"a\.png: .*extension"),
    Fault("empty file", lambda r: (r / RAW).write_bytes(b""), "does not read"),
    Fault("truncated gzip", lambda r: truncate(r / RAW), "ended before the end"),
    Fault("wrong checksum", checksum_wrong, "does not read .CRC check failed"),
    Fault("not gzip", lambda r: (r / RAW).write_text("<html>404</html>"), "Not a gzipped file"),
    Fault("truncated", plain_truncated, r"0000\.nii: .*truncated"),
    Fault("NaN", image_with(one_voxel(np.nan)), "finite grey values, found 1 voxels of NaN"),
    Fault("infinity", image_with(one_voxel(np.inf)), "finite grey values"),
    Fault("negative", image_with(one_voxel(-3)), "from 0, found -3"),
    Fault("too bright", image_with(one_voxel(2**25)), "up to 16777216"),
    Fault("2D", image_with(lambda a: a[0]), "expected a 3D image, found shape"),
    Fault("one plane", image_with(lambda a: a[:1]), "found a single plane"),
    Fault("six axes", image_with(lambda a: np.stack([np.stack([a, a])] * 2)), "at most one of"),
    Fault("complex", image_with(lambda a: a.astype(np.complex64)), "one a voxel"),
    Fault("colour", colour_nifti, "one a voxel"),
    Fault("constant image", image_with(np.ones_like), "found a constant channel"),
    Fault("missing image", lambda r: (r / RAW).unlink(), "raw: expected images .*empty folder"),
    Fault("missing mask", lambda r: nifti(r / "s/raw/b_0000.nii.gz", GREY), "image alone"),
    Fault("mask alone", lambda r: nifti(r / "s/gt/b.nii.gz", MASK), "mask alone"),
    Fault("no masks", lambda r: shutil.rmtree(r / "s/gt"), "gt: expected a folder"),
    Fault("empty mask", mask_with(np.zeros_like), "found an empty mask"),
    Fault("other shape", mask_with(lambda a: a[1:]), "as the image, found"),
    Fault(
        "far larger mask",
        mask_with(lambda _: np.zeros((17, 1000, 1000), np.uint8)),
        "voxels, a multiple of those of the image",
    ),
    Fault("fractions", mask_with(one_voxel(0.5)), "labels .whole numbers., found 0.5"),
    Fault("negative label", mask_with(one_voxel(-1)), r"gt.*from 0, found -1"),
    Fault("many masks", mask_with(lambda a: np.stack([a, a])), "one channel in a mask, found 2"),
    Fault("channel twice", second_file_of_a_channel, "channel 0000 of patchvolume_000 once"),
    Fault(
        "channel gap",
        lambda r: nifti(r / "s/raw/patchvolume_000_0002.nii.gz", GREY),
        "without a gap, found 0000, 0002",
    ),
    Fault(
        "channel shape",
        lambda r: nifti(r / "s/raw/patchvolume_000_0001.nii.gz", GREY[1:]),
        "0001.*expected shape .Z,Y,X. .5, 6, 7. as in",
    ),
    Fault("channel count", second_patch_with_two_channels, "1 channels as in patch 000, found 2"),
    Fault("id twice", same_id_under_two_names, "each id once, found '000'"),
    Fault("link", link_out_of_the_archive, "file inside .*leads to"),
    Fault("pickle", pickled_npy, "Python objects in dtype"),
    Fault("truncated NPY", truncated_npy, r"\.npy: .*does not read"),
    Fault("NPZ", archive_of_arrays, "found an archive of arrays"),
    Fault("truncated MHA", lambda r: truncate(mha(r)), r"\.mha: .*found \d+ \(truncated"),
    Fault("detached MHA", mha_with_voxels_elsewhere, "ElementDataFile: expected LOCAL"),
    Fault("truncated TIFF", truncated_tiff, r"\.tif: expected a whole TIFF, found a damaged one"),
    Fault("pages missing", tiff_without_its_last_pages, "invalid page offset"),
    Fault(
        "colour TIFF", tiff(np.zeros((5, 6, 7, 3), np.uint8), photometric="rgb"), "axes ZYXS|QYXS"
    ),
    Fault(
        "time series",
        tiff(np.stack([GREY, GREY]), imagej=True, metadata={"axes": "TZYX"}),
        "axes TZYX",
    ),
    Fault("the mask itself", lambda r: nifti(r / RAW, MASK * 200), "found the mask .* itself"),
    Fault(
        "channels last",
        lambda r: np.save(
            replace_image(r, "patchvolume_000_0000.npy"), np.stack([GREY, GREY], axis=-1)
        ),
        r"expected axes C, Z, Y, X, found shape .5, 6, 7, 2.",
    ),
    Fault("spacing of 0", lambda r: mha_with(r, "ElementSpacing = 0 1 1"), "ElementSpacing.*0 1 1"),
    Fault("spacing of NaN", lambda r: mha_with(r, "ElementSpacing = nan 1 1"), "lengths above 0"),
    Fault(
        "decimal comma",
        tiff(GREY, ome=True, metadata={"axes": "ZYX"} | dict.fromkeys(SIZES, "1,5")),
        "PhysicalSizeZ: expected a number, found '1,5'",
    ),
    Fault("inverted TIFF", tiff(GREY, photometric="miniswhite"), "found WhiteIsZero"),
    Fault("inverted bits", inverted_bits, "found WhiteIsZero"),
    Fault(
        "palette",
        tiff(
            (GREY >> 4).astype(np.uint8),
            photometric="palette",
            colormap=np.zeros((3, 256), np.uint16),
        ),
        "found numbers of colours in a palette",
    ),
    Fault("two images", write_two_images, "expected one image wholly in this file, found 2"),
    Fault("no folder", lambda r: {"folder": "t"}, "raw: expected a folder"),
    Fault("folder outside", lambda r: {"folder": "../.."}, "expected a file inside"),
    Fault("unknown sample", lambda r: {"rows": [row(sample="0000")]}, "did you mean '000'"),
    Fault("sample twice", lambda r: {"rows": [row(sample="000")] * 2}, "each id once, found '000'"),
    Fault("no mask named", lambda r: {"rows": [row(sample="x", image=RAW)]}, "x: mask: expected"),
    Fault(
        "no such image",
        lambda r: {"rows": [row(sample="x", image="x.npy", mask=GT)]},
        r"x\.npy: expected an image file, found nothing",
    ),
    Fault("nothing at all", lambda r: {"folder": None}, "expected patches, found none"),
]


VOLUME_FAULTS = [
    Fault(
        "gap of billions",
        lambda r: (r / "C01/z3.tif").rename(r / "C01/z90000000000.tif"),
        "C01: .*89999999996 missing: 3, 5, 6, 7, 8, …",
    ),
    Fault("gap", lambda r: (r / "C01/z2.tif").unlink(), "C01: .*1 missing: 2"),
    Fault("plane twice", plane(2, GREY[2], "z0{}.tif"), r"number 2 twice: z02\.tif and z2\.tif"),
    Fault("odd name", plane(9, GREY[0], "copy of z{}.tif"), "found copy of z9.tif beside"),
    Fault("two numbers", rename_planes(lambda z: f"t{z % 2}_z{z}.tif"), "2 that differ"),
    Fault("odd shape", plane(2, GREY[2, :4]), r"z2\.tif: expected a plane of 6×7"),
    Fault(
        "turned plane",
        plane(2, GREY[2], extratags=[(274, "H", 1, 3, True)]),
        r"z2\.tif.*like most others, found .*turned .Orientation 3",
    ),
    Fault("inverted plane", plane(2, GREY[2], photometric="miniswhite"), r"z2\.tif.*WhiteIsZero"),
    Fault("odd type", plane(2, GREY[2].astype(np.uint8)), r"z2\.tif: .*uint16.*found.*uint8"),
    Fault("empty plane", lambda r: (r / "C01/z2.tif").write_bytes(b""), r"z2\.tif: .*readable"),
    Fault("not TIFF", lambda r: (r / "C01/z2.tif").write_text("<html>"), "not a TIFF file"),
    Fault("truncated plane", lambda r: truncate(r / "C01/z2.tif", 0.9), r"z2\.tif"),
    Fault("empty strip", plane_without_voxels, r"z2\.tif.*found an empty strip"),
    Fault("spoilt plane", spoilt_plane, r"z2\.tif.*set bad_plane: interpolate"),
    Fault("two bad neighbours", two_spoilt_neighbours, "readable planes on both sides"),
    Fault("bad end", spoilt_end, "readable planes on both sides"),
    Fault("colour", plane(2, np.zeros((6, 7, 3), np.uint8), photometric="rgb"), "one grey plane"),
    Fault("pages", plane(2, GREY[:2], photometric="minisblack"), "one plane, found 2 pages"),
    Fault("fractions", fractional_planes, "whole grey values up to 65535"),
    Fault("empty folder", empty_folder, "found an empty folder"),
    Fault("other format", other_format, r"expected TIFF planes .*z0\.png"),
    Fault("folder of channels", lambda r: {"sources": ["."]}, r"found C00.*planes: C00\)"),
    Fault("depths differ", lambda r: (r / "C01/z4.tif").unlink(), "like channel"),
    Fault("missing", lambda r: {"sources": ["C02"]}, "C02: expected an image file, found nothing"),
    Fault("no source", lambda r: {"sources": []}, "found none"),
    Fault("one plane", lambda r: {"sources": ["C00/z0.tif"]}, "expected a 3D image"),
]


def complaint(call: Callable[..., None], *arguments, **options) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert "expected" in message
    assert "found" in message
    return message


@pytest.mark.parametrize("fault", PATCH_FAULTS, ids=lambda fault: fault.what)
def test_bad_patch_is_named(archive, fault):
    options = fault.spoil(archive)
    message = complaint(convert_archive, archive, **(options if isinstance(options, dict) else {}))
    assert re.search(fault.message, message), message
    assert not (archive / "out" / "patches.h5").exists()


@pytest.mark.parametrize("fault", VOLUME_FAULTS, ids=lambda fault: fault.what)
def test_bad_volume_is_named(archive, fault):
    options = fault.spoil(archive)
    message = complaint(convert_planes, archive, **(options if isinstance(options, dict) else {}))
    assert re.search(fault.message, message), message
    assert not (archive / "out" / "v.h5").exists()


def test_unreadable_file_is_named(archive, monkeypatch):
    """As a user without the right to read it; root may read everything."""

    def refuse(self: Path, *_: str) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    assert RAW in complaint(convert_archive, archive)


def test_full_disk_is_foreseen(archive, monkeypatch):
    usage = namedtuple("usage", ["total", "used", "free"])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000, 900, 100))
    assert "slabs and final file, uncompressed: needs" in complaint(convert_planes, archive)
    assert not list((archive / "out").rglob("*.h5"))


def write_patch_file(path: Path) -> None:
    with PatchWriter(path, path.with_suffix(".tsv"), "patches") as writer:
        writer.add("000", GREY[None], MASK)


def set_attribute(path: Path, name: str, value: object) -> None:
    with h5py.File(path, "a") as file:
        file.attrs[name] = value


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (os.unlink, "found nothing"),
        (lambda path: path.write_text("<html>404</html>"), "does not open"),
        (truncate, "does not open"),
        (lambda path: set_attribute(path, "kind", "volume"), "kind: expected patches or cases"),
        (lambda path: set_attribute(path, "contract_version", 99), "expected 1, found 99"),
    ],
)
def test_bad_hdf5_file_is_named(tmp_path, spoil, message):
    path = tmp_path / "patches.h5"
    write_patch_file(path)
    spoil(path)
    found = complaint(lambda: PatchFile(path).ids)
    assert message in found
    assert str(path) in found


def test_patch_file_is_no_volume(tmp_path):
    write_patch_file(tmp_path / "patches.h5")
    assert "expected volume, found 'patches'" in complaint(
        lambda: VolumeFile(tmp_path / "patches.h5").shape
    )


def test_unknown_channel_is_named(tmp_path):
    write_patch_file(tmp_path / "patches.h5")
    patches, window = PatchFile(tmp_path / "patches.h5"), (slice(2),) * 3
    assert "channel: expected 0 to 0, found 1" in complaint(patches.image, "000", 1)
    assert "channel: expected 0 to 0, found -1" in complaint(patches.read, "000", -1, window)


def test_unknown_patch_is_named(tmp_path):
    write_patch_file(tmp_path / "patches.h5")
    patches = PatchFile(tmp_path / "patches.h5")
    for read in (patches.image, patches.shape, patches.specimen):
        assert "expected patch '001'" in complaint(read, "001")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text.replace("sha256", "md5"), "column 'sha256': expected"),
        (lambda text: text + text.splitlines()[1] + "\n", "each id once, found '000'"),
        (lambda text: text.replace("\t1\t", "\tyes\t"), "expected numbers"),
    ],
)
def test_bad_index_is_named(tmp_path, spoil, message):
    write_patch_file(tmp_path / "patches.h5")
    index = tmp_path / "patches.tsv"
    index.write_text(spoil(index.read_text()))
    assert message in complaint(read_index, index)
