"""Files that a lab has: read as they are meant, or refused in a line that names what to do."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import npy2bdv
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from scipy.ndimage import gaussian_filter

from selma3d.challenge.samples import Sample
from selma3d.images import PatchFile, VolumeFile
from selma3d.images.conversion.patch_conversion import PatchSettings, convert_patches
from selma3d.images.conversion.volume_conversion import (
    VolumeSettings,
    channel_sources,
    convert_volume,
)
from selma3d.system.errors import InputError
from two_channel_files import SIZE, imaris, letters, n5_array

SHAPE = (12, 40, 40)
RANDOM = np.random.default_rng(0)
CELLS = gaussian_filter(RANDOM.random(SHAPE), 2)
MASK = (np.quantile(CELLS, 0.95) < CELLS).astype(np.uint8)
GREY = (RANDOM.normal(600, 40, SHAPE) + 800.0 * MASK).astype(np.uint16)
DIM = MASK == 0
WHOLE = (slice(None),) * 3


# Volumes


def planes(folder: Path, numbers=range(12), size=lambda z: None, name="z{:03d}.tif", **tiff):
    (folder / "v").mkdir()
    for z, number in enumerate(numbers):
        about = {} if size(z) is None else {"ome": True, "metadata": sized(size(z))}
        tifffile.imwrite(folder / "v" / name.format(number), GREY[z], **about, **tiff)
    return "v"


def sized(depth: float) -> dict[str, object]:
    lengths = zip("XYZ", (1.6, 1.6, depth), strict=True)
    return {"axes": "YX", **{f"PhysicalSize{axis}": length for axis, length in lengths}}


def zarr_of(folder: Path, image=GREY, axes="zyx", unit="micrometer", lost=(), size=(4, 2, 2)):
    group = zarr.open_group(folder / "v.zarr", mode="w", zarr_format=2)
    chunks = tuple(min(length, 8) for length in image.shape)
    group.create_array("0", data=image, chunks=chunks)
    scale = [*(1 for _ in range(image.ndim - 3)), *size]
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": a, "type": "space", "unit": unit} for a in axes],
            "datasets": [
                {
                    "path": "0",
                    "coordinateTransformations": [{"type": "scale", "scale": scale}],
                }
            ],
        }
    ]
    for chunk in lost:
        (folder / "v.zarr" / "0" / chunk).unlink()
    return "v.zarr"


def stack(folder: Path, axes: str, image=GREY, **tiff) -> str:
    tifffile.imwrite(folder / "v.tif", image, metadata={"axes": axes}, **tiff)
    return "v.tif"


def with_thumbnail(folder: Path, **tiff) -> str:
    with tifffile.TiffWriter(folder / "v.tif") as file:
        file.write(GREY, photometric="minisblack", metadata={"axes": "ZYX"})
        file.write(GREY[0, ::4, ::4], **tiff)
    return "v.tif"


def ims(folder: Path, change: Callable[[h5py.AttributeManager], None]) -> str:
    with h5py.File(imaris(folder / "v.ims"), "r+") as file:
        change(file["DataSetInfo/Image"].attrs)
    return "v.ims"


def backwards(about: h5py.AttributeManager) -> None:
    about["ExtMin2"], about["ExtMax2"] = about["ExtMax2"], about["ExtMin2"]


def bdv(folder: Path, change: Callable[[h5py.File, Path], None]) -> str:
    path = folder / "v.h5"
    writer = npy2bdv.BdvWriter(str(path), blockdim=((4, 8, 8),))
    writer.append_view(GREY, voxel_size_xyz=(2, 2, 4), voxel_units="um")
    writer.write_xml()
    writer.close()
    with h5py.File(path, "r+") as file:
        change(file, folder / "v.xml")
    return "v.xml"


def coarse_first(file: h5py.File, _: Path) -> None:
    file["s00/resolutions"][0] = [2, 2, 1]


def of_another_export(_: h5py.File, xml: Path) -> None:
    xml.write_text(xml.read_text().replace("<size>40 40 12</size>", "<size>80 80 24</size>"))


def n5_without_its_first_level(folder: Path) -> str:
    n5_array(folder / "v.n5" / "s0", GREY, downsamplingFactors=[2, 2, 1])
    (folder / "v.n5" / "attributes.json").write_text(json.dumps({"n5": "2.0.0"}))
    return "v.n5"


def npy(folder: Path, image: np.ndarray) -> str:
    np.save(folder / "v.npy", image)
    return "v.npy"


def without(z: int) -> np.ndarray:
    return np.where((np.arange(12) == z)[:, None, None], 0, GREY).astype(np.uint16)


TWICE = np.stack([GREY, GREY + 1])
NO_STEP = "expected planes in steps of 1, or of their distance, found"
EVERY_SECOND = range(0, 24, 2)
REFUSED = {
    "every second": (lambda d: planes(d, EVERY_SECOND), rf"{NO_STEP} 0 to 22 in .* 2, with no"),
    "every second of a known distance": (
        lambda d: planes(d, EVERY_SECOND, lambda z: 4.0),
        rf"{NO_STEP} 0 to 22 in steps of 2, 4 µm apart \(copy what is missing",
    ),
    "every second of a stage's places": (
        lambda d: planes(d, range(0, 960, 80), lambda z: 4.0),
        rf"{NO_STEP} 0 to 880 in steps of 80, 4 µm apart",
    ),
    "every third, from 1": (lambda d: planes(d, range(1, 37, 3)), rf"{NO_STEP} 1 to 34 in .* 3"),
    "two acquisitions": (
        lambda d: planes(d, size=lambda z: 4.0 if z < 6 else 8.0),
        r"z006\.tif: expected voxels of 4 × 1\.6 × 1\.6 .*z000\.tif, found 8 × 1\.6 × 1\.6",
    ),
    "some with metadata": (
        lambda d: planes(d, size=lambda z: 4.0 if z < 6 else None),
        r"z006\.tif: expected metadata as in z000\.tif .*found others \(no voxel size",
    ),
    "an empty plane": (lambda d: npy(d, without(7)), "plane 7: expected grey values, found a p"),
    "each twice": (lambda d: npy(d, np.repeat(GREY[::2], 2, 0)), "plane 1: expected a plane of"),
    "Z as channels": (lambda d: stack(d, "CYX", ome=True), "stored as channels: save them as Z"),
    "Z as channels, ImageJ": (lambda d: stack(d, "CYX", imagej=True), "save them as Z"),
    "Z as channels, Zarr": (lambda d: zarr_of(d, GREY[:, None], "czyx"), "save them as Z"),
    "Z and C exchanged": (
        lambda d: stack(d, "ZCYX", TWICE, ome=True),
        "expected more planes than channels, found 12 channels of 2 planes",
    ),
    "a thumbnail at the end": (with_thumbnail, "found 2, of shapes 12×40×40, 10×10"),
    "a copy that broke off": (
        lambda d: zarr_of(d, lost=("1.0.0", "1.4.4")),
        "expected all its parts, found 512 voxels without data, and no other one is 0",
    ),
    "less than is there": (
        lambda d: ims(d, lambda about: about.modify("Z", letters(4))),
        r"expected \(4, 20, 31\) voxels .* as its attributes state, found \(16, 32, 32\)",
    ),
    "no full resolution": (lambda d: bdv(d, coarse_first), r"full resolution first, found \[2\."),
    "an .xml of another": (lambda d: bdv(d, of_another_export), r"expected \(24, 80, 80\) voxels"),
    "an N5 from its second level on": (n5_without_its_first_level, r"found \[2, 2, 1\]"),
    "not a number": (lambda d: npy(d, np.where(MASK, np.nan, GREY)), "voxels of NaN or infinity"),
    "below 0": (lambda d: npy(d, GREY.astype(np.int16) - 700), "from 0, found -"),
    "shares of 1": (lambda d: npy(d, (GREY / 4096).astype(np.float32)), "with 16 bits"),
    "colours": (
        lambda d: stack(d, "ZYXS", np.stack([GREY.astype(np.uint8)] * 3, -1), photometric="rgb"),
        "save one grey image a file",
    ),
}


def convert(folder: Path, name: str, **settings) -> VolumeFile:
    (folder / "out").mkdir(exist_ok=True)
    convert_volume(
        channel_sources(folder, [name]),
        folder / "out" / "v.h5",
        folder / "out" / "v.tsv",
        folder / "out" / "work",
        specimen="",
        sample="a",
        voxel_size_um=None,
        settings=VolumeSettings(**settings),
    )
    return VolumeFile(folder / "out" / "v.h5")


@pytest.mark.parametrize("what", REFUSED)
def test_a_volume_that_is_not_what_it_seems_is_refused(tmp_path: Path, what: str) -> None:
    write, message = REFUSED[what]
    name = write(tmp_path)
    with pytest.raises(InputError, match=message) as error:
        convert(tmp_path, name)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out" / "v.h5").exists()
    if "allow 'missing-planes'" in str(error.value):
        assert convert(tmp_path, name, allow=["missing-planes"])


READ = {
    "places of a stage": (lambda d: planes(d, range(0, 480, 40), lambda z: 4.0), (4, 1.6, 1.6)),
    "places below 0": (
        lambda d: planes(d, range(-24, 24, 4), lambda z: 4.0, "z{:+03d}.tif"),
        (4, 1.6, 1.6),
    ),
    "places below 0, no distance stated": (
        lambda d: planes(d, range(-60, 60, 10), name="z{:+04d}.tif"),
        None,
    ),
    "a thumbnail that says so": (lambda d: with_thumbnail(d, subfiletype=1), None),
    "nanometres": (lambda d: zarr_of(d, unit="nanometer", size=(4e3, 2e3, 2e3)), (4, 2, 2)),
    "millimetres": (lambda d: zarr_of(d, unit="Millimeter", size=(4e-3, 2e-3, 2e-3)), (4, 2, 2)),
    "no unit of length": (lambda d: zarr_of(d, unit="pixel"), None),
    "a thousand times too large": (lambda d: zarr_of(d, size=(4e3, 2e3, 2e3)), None),
}


@pytest.mark.parametrize("what", READ)
def test_a_volume_is_read_as_it_is_meant(tmp_path: Path, caplog, what: str) -> None:
    write, size = READ[what]
    volume = convert(tmp_path, write(tmp_path))
    np.testing.assert_array_equal(volume.read(0, WHOLE), GREY)
    assert volume.voxel_size_um == (None if size is None else pytest.approx(size))
    assert ("voxel size unknown" in caplog.text) == (what in list(READ)[-2:])


def test_an_imaris_box_that_runs_backwards_has_the_same_lengths(tmp_path: Path) -> None:
    assert convert(tmp_path, ims(tmp_path, backwards)).voxel_size_um == pytest.approx(SIZE)


def test_saturated_voxels_and_lengths_in_another_order_are_told(tmp_path: Path, caplog) -> None:
    name = npy(tmp_path, np.minimum(GREY.astype(int) * 4, 4095).astype(np.uint16))
    convert(tmp_path, name, row_voxel_size_um=(1.6, 1.6, 6.0))
    assert "% of its voxels have its largest value, 4095: saturated" in caplog.text
    assert "may stand as x, y, z" in caplog.text


# Masks of patches


def patch(folder: Path, mask: np.ndarray, image: np.ndarray = GREY, **settings) -> PatchFile:
    np.save(folder / "image.npy", image)
    np.save(folder / "mask.npy", mask)
    row = Sample(
        structure="s", kind="patch", sample="a", specimen="", role="", archive="lab",
        image="image.npy", mask="mask.npy",
    )  # fmt: skip
    h5 = folder / "p.h5"
    convert_patches(
        folder, None, [row], h5, folder / "p.tsv", structure="s", settings=PatchSettings(**settings)
    )
    return PatchFile(h5)


def as_jpeg(mask: np.ndarray, quality: int) -> np.ndarray:
    found = []
    for plane in mask * 255:
        file = io.BytesIO()
        Image.fromarray(plane).save(file, "JPEG", quality=quality)
        found.append(np.array(Image.open(file)))
    return np.stack(found)


def beside(*labels: int) -> np.ndarray:
    """The first label where the mask is, each other one on dim voxels."""
    found = MASK.astype(np.uint16 if max(labels) > 255 else np.uint8) * labels[0]
    for number, label in enumerate(labels[1:], start=1):
        found[DIM & (600 - 25 * number > GREY)] = label
    return found


BLURRED = gaussian_filter(MASK.astype(float), 0.7)
GREY_VALUES = r"values from 0 to \d+ that differ between neighbours .*allow 'grey-mask'"
MASKS = {
    "exchanged axes": (MASK.transpose(0, 2, 1), "with its axes taken as Z, X, Y .*'other-orient"),
    "from below": (MASK[::-1], "with Z reversed"),
    "mirrored": (MASK[:, :, ::-1], "with X reversed"),
    "turned": (MASK[:, ::-1, ::-1], "with Y and X reversed"),
    "JPEG": (as_jpeg(MASK, 75), GREY_VALUES),
    "good JPEG": (as_jpeg(MASK, 95), GREY_VALUES),
    "interpolated": ((BLURRED * 255).astype(np.uint8), GREY_VALUES),
    "an image": (np.clip(GREY.astype(int) - 620, 0, None), GREY_VALUES),
    "254 to ignore": (beside(1, 254), "0, 1, 254 with 254.*allow 'ignore-label'"),
    "two tools": (beside(255, 1), "0, 1, 255 with 255"),
    "two tools, inverted": (beside(1, 254, 255), "0, 1, 254, 255 with 255"),
    "65534 to ignore": (beside(1, 65534), "0, 1, 65534 with 65534"),
    "127 of signed bytes": (beside(1, 127), "0, 1, 127 with 127"),
    "perhaps": (beside(255, 128), "0, 128, 255 with 255"),
}


@pytest.mark.parametrize("what", MASKS)
def test_a_mask_that_is_not_what_it_seems_is_refused_unless_allowed(tmp_path, what) -> None:
    mask, message = MASKS[what]
    with pytest.raises(InputError, match=rf"mask\.npy: .*{message}") as error:
        patch(tmp_path, mask)
    assert "\n" not in str(error.value)
    allow = ["other-orientation", "grey-mask", "ignore-label"]
    np.testing.assert_array_equal(patch(tmp_path, mask, allow=allow).mask("a"), mask > 0)


def test_touching_cells_and_dark_structures_are_masks_as_others(tmp_path: Path) -> None:
    cells = np.arange(1, 197).reshape(1, 14, 14).repeat(12, 0).repeat(3, 1).repeat(3, 2)
    cells = cells[:, :40, :40] * MASK
    for mask, image in ((cells, GREY), (MASK, 3000 - GREY)):
        np.testing.assert_array_equal(patch(tmp_path, mask, image).mask("a"), MASK)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.repeat(GREY[::2], 2, 0), "plane 1: expected a plane of its own, found the voxels of"),
        (without(5), "plane 5: expected grey values, found a plane of zeros"),
        (np.stack([GREY, GREY]), "expected a channel of its own, found the voxels of channel"),
    ],
)
def test_planes_of_a_patch_that_are_not_there_are_named(tmp_path: Path, image, message) -> None:
    with pytest.raises(InputError, match=rf"image\.npy.*{message}.*allow 'missing-planes'"):
        patch(tmp_path, MASK, image)
    assert patch(tmp_path, MASK, image, allow=["missing-planes"]).ids == ["a"]
