"""Formats of microscopes: each is read as another program, or its published layout, writes it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import npy2bdv
import numpy as np
import pytest
import SimpleITK
import tensorstore
import zarr
from pylibCZIrw import czi as pylibczi

from selma3d.challenge.samples import Sample
from selma3d.images import PatchFile, VolumeFile
from selma3d.images.conversion.patch_conversion import PatchSettings, convert_patches
from selma3d.images.conversion.volume_conversion import convert_volume
from selma3d.images.readers import open_image, read_image
from selma3d.system.errors import InputError
from two_channel_files import (
    FORMATS,
    GREY,
    NAMELESS,
    NAMES,
    SIZE,
    bigdataviewer,
    czi,
    imaris,
    n5_array,
    ome_zarr_4,
)

WHOLE = (slice(None),) * 3


@pytest.fixture(params=FORMATS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def image(kind: str, tmp_path: Path) -> Path:
    name, write = FORMATS[kind]
    (tmp_path / "in").mkdir()
    return write(tmp_path / "in" / name)


def test_header_says_shape_size_and_channels(kind: str, image: Path) -> None:
    with open_image(image) as found:
        assert found.shape == GREY.shape
        assert found.dtype == np.uint16
        assert found.voxel_size_um == pytest.approx(SIZE)
        assert found.why_no_voxel_size is None
        assert found.channel_names == (None if kind in NAMELESS else NAMES)


def test_any_planes_and_rows_of_a_channel_read_alone(image: Path) -> None:
    with open_image(image) as found:
        np.testing.assert_array_equal(found.read(1, 3, 7), GREY[1, 3:7])
        np.testing.assert_array_equal(found.read(0, 8, 9, slice(5, 40)), GREY[0, 8:9, 5:])
        np.testing.assert_array_equal(found.plane(1, 8), GREY[1, 8])
        with pytest.raises(InputError, match=r"channel: expected 0 to 1.*found 2"):
            found.read(2, 0, 1)


def test_a_volume_is_converted_from_it(image: Path, tmp_path: Path) -> None:
    convert_volume(
        [image], tmp_path / "v.h5", tmp_path / "v.tsv", tmp_path / "work",
        sample="a", specimen="", voxel_size_um=None,
    )  # fmt: skip
    with VolumeFile(tmp_path / "v.h5") as volume:
        assert volume.voxel_size_um == pytest.approx(SIZE)
        for channel in range(2):
            np.testing.assert_array_equal(volume.read(channel, WHOLE), GREY[channel])


def test_a_patch_is_converted_from_it(image: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "in" / "mask.npy", (GREY[0] > 50000).astype(np.uint8))
    row = Sample(
        structure="s", kind="patch", sample="a", specimen="", role="", archive="lab",
        image=image.name, mask="mask.npy",
    )  # fmt: skip
    convert_patches(
        tmp_path / "in", None, [row], tmp_path / "p.h5", tmp_path / "p.tsv",
        structure="s", settings=PatchSettings(),
    )  # fmt: skip
    with PatchFile(tmp_path / "p.h5") as patches:
        np.testing.assert_array_equal(patches.image("a", 1), GREY[1])
        assert patches.voxel_size_um("a") == pytest.approx(SIZE)


def test_plain_zarr_and_n5_arrays_have_no_voxel_size(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "plain", data=GREY[0], chunks=(4, 8, 8), zarr_format=3)
    n5_array(tmp_path / "plain.n5", GREY[0])
    for name in ("plain", "plain.n5"):
        with open_image(tmp_path / name) as found:
            np.testing.assert_array_equal(found.read_all()[0], GREY[0])
            assert found.voxel_size_um is None
            assert "states no voxel size" in found.why_no_voxel_size


def test_a_zarr_without_units_has_no_voxel_size_and_old_ones_read(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "old.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=GREY[None], chunks=(1, 1, 4, 8, 8))
    group.attrs["multiscales"] = [{"version": "0.1", "datasets": [{"path": "0"}]}]
    assert read_image(tmp_path / "old.zarr").array.shape == GREY.shape


def test_levels_in_the_wrong_order_are_refused_and_any_unit_of_length_is_read(tmp_path) -> None:
    path = ome_zarr_4(tmp_path / "a.zarr")
    zarr.open_group(path).create_array("1", data=GREY[:, :3, :5, :5])
    about = json.loads((path / ".zattrs").read_text())
    image = about["multiscales"][0]
    for axis in image["axes"][1:]:
        axis["unit"] = "meter"
    coarse = {"type": "scale", "scale": [1, 18e-6, 6e-6, 6e-6]}
    fine = {"type": "scale", "scale": [1, *(size * 1e-6 for size in SIZE)]}
    levels = [
        {"path": name, "coordinateTransformations": [scale]}
        for name, scale in (("0", fine), ("1", coarse))
    ]
    image["datasets"] = levels
    (path / ".zattrs").write_text(json.dumps(about))
    assert read_image(path).voxel_size_um == pytest.approx(SIZE)
    image["datasets"] = levels[::-1]
    (path / ".zattrs").write_text(json.dumps(about))
    with pytest.raises(InputError, match=r"full resolution first, found '1' of .*list '0' first"):
        read_image(path)


def test_a_label_image_and_a_level_are_named_by_their_folder(tmp_path: Path) -> None:
    image = ome_zarr_4(tmp_path / "a.ome.zarr")
    np.testing.assert_array_equal(read_image(image / "0").array, GREY)


def test_times_of_one_plane_each_are_planes_and_several_times_are_refused(tmp_path: Path) -> None:
    for name, shape in (("planes", (9, 1, 20, 31)), ("series", (3, 3, 20, 31))):
        group = zarr.open_group(tmp_path / name, mode="w", zarr_format=2)
        group.create_array("0", data=GREY[0].reshape(shape), chunks=(1, 1, 8, 8))
        axes = [{"name": a, "type": "space"} for a in "tzyx"]
        group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}]}]
    np.testing.assert_array_equal(read_image(tmp_path / "planes").array[0], GREY[0])
    with pytest.raises(InputError, match="at most one of channels"):
        open_image(tmp_path / "series")


def test_czi_reads_the_same_uncompressed(tmp_path: Path) -> None:
    with open_image(czi(tmp_path / "a.czi", "uncompressed:")) as found:
        np.testing.assert_array_equal(found.read(1, 0, 9), GREY[1])


def test_czi_with_a_plane_far_away_is_refused_without_listing_what_lies_between(
    tmp_path: Path,
) -> None:
    with pylibczi.create_czi(str(tmp_path / "a.czi")) as document:
        for z in (0, 2_000_000_000):
            document.write(np.zeros((6, 7, 1), np.uint16), plane={"C": 0, "Z": z, "T": 0})
    with pytest.raises(InputError, match="1999999999 missing, such as plane 1 of channel 0"):
        open_image(tmp_path / "a.czi")


def test_czi_of_several_tiles_is_refused(tmp_path: Path) -> None:
    with pylibczi.create_czi(str(tmp_path / "a.czi")) as document:
        for tile, z in np.ndindex(2, 3):
            plane, place = {"C": 0, "Z": z}, (tile * 31, 0)
            document.write(GREY[0, z][..., None], plane=plane, location=place)
    with pytest.raises(InputError, match="found several that differ in X"):
        open_image(tmp_path / "a.czi")


def test_bigdataviewer_of_tiles_or_without_its_description_is_refused(tmp_path: Path) -> None:
    writer = npy2bdv.BdvWriter(str(tmp_path / "a.h5"), ntiles=2)
    for tile in range(2):
        writer.append_view(GREY[0], tile=tile)
    writer.write_xml()
    writer.close()
    with pytest.raises(InputError, match="2 set-ups of 1 channels"):
        open_image(tmp_path / "a.xml")
    (tmp_path / "a.xml").unlink()
    with pytest.raises(InputError, match=r"expected its \.xml beside it"):
        open_image(tmp_path / "a.h5")


def linked_chunk(folder: Path) -> Path:
    image = ome_zarr_4(folder / "a.zarr")
    chunk = next(path for path in (image / "0").rglob("0.0.0.0"))
    (folder / "elsewhere").write_bytes(chunk.read_bytes())
    chunk.unlink()
    chunk.symlink_to(folder / "elsewhere")
    return image


def level_elsewhere(folder: Path) -> Path:
    ome_zarr_4(folder / "other.zarr")
    image = ome_zarr_4(folder / "a.zarr")
    about = json.loads((image / ".zattrs").read_text())
    about["multiscales"][0]["datasets"][0]["path"] = "../other.zarr/0"
    (image / ".zattrs").write_text(json.dumps(about))
    return image


def external_data(folder: Path) -> Path:
    imaris(folder / "other.ims")
    place = "DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data"
    with h5py.File(imaris(folder / "a.ims"), "a") as file:
        del file[place]
        file[place] = h5py.ExternalLink("other.ims", place)
    return folder / "a.ims"


def xml_elsewhere(folder: Path) -> Path:
    (folder / "in").mkdir()
    bigdataviewer(folder / "a.xml")
    text = (folder / "a.xml").read_text().replace("a.h5", "../a.h5")
    (folder / "in" / "a.xml").write_text(text)
    return folder / "in" / "a.xml"


def n5_link(folder: Path) -> Path:
    n5_array(folder / "other", GREY[0])
    (folder / "a.n5").mkdir()
    (folder / "a.n5" / "s0").symlink_to(folder / "other")
    return folder / "a.n5"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (linked_chunk, "found a link"),
        (level_elsewhere, r"expected a part of it, found '\.\./other"),
        (external_data, "expected data in this file, found a link"),
        (xml_elsewhere, "expected a file beside the .xml"),
        (n5_link, "is a symbolic link"),
    ],
)
def test_data_that_lie_elsewhere_are_refused(tmp_path: Path, spoil, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_image(spoil(tmp_path))


def zarr_metadata(folder: Path, **changed: object) -> Path:
    image = ome_zarr_4(folder / "a.zarr")
    about = json.loads((image / "0" / ".zarray").read_text())
    (image / "0" / ".zarray").write_text(json.dumps(about | changed))
    return image


def huge_chunk_file(folder: Path) -> Path:
    image = ome_zarr_4(folder / "a.zarr")
    with next((image / "0").rglob("0.0.0.0")).open("ab") as file:
        file.truncate(1 << 30)
    return image


def long_metadata(folder: Path) -> Path:
    image = ome_zarr_4(folder / "a.zarr")
    with (image / ".zattrs").open("ab") as file:
        file.truncate(1 << 30)
    return image


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: zarr_metadata(f, shape=[1, 10**6, 10**6, 10**6]), "promise of"),
        (lambda f: zarr_metadata(f, chunks=[1, 4000, 4000, 4000]), "bytes in a chunk"),
        (huge_chunk_file, "expected at most"),
        (long_metadata, "bytes in metadata"),
        (lambda f: zarr_metadata(f, compressor={"id": "unheard-of"}), "does not read"),
    ],
)
def test_bounds_come_before_bytes(tmp_path: Path, spoil, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_image(spoil(tmp_path))


def test_a_damaged_chunk_is_told(tmp_path: Path) -> None:
    image = ome_zarr_4(tmp_path / "a.zarr")
    next((image / "0").rglob("0.0.0.0")).write_bytes(b"\0" * 10)
    with pytest.raises(InputError, match="expected a chunk of 512 bytes"):
        read_image(image)


@pytest.mark.parametrize("name", ["OME-Zarr 0.4", "Imaris", "CZI"])
def test_an_image_that_changes_while_it_is_read_fails(tmp_path: Path, name: str) -> None:
    file, write = FORMATS[name]
    with open_image(write(tmp_path / file)) as image:
        assert image.identity
        touched = tmp_path / file
        touched = next((touched / "0").iterdir()) if touched.is_dir() else touched
        touched = next(touched.rglob("*.*")) if touched.is_dir() else touched
        os.utime(touched, (1, 1))
        with pytest.raises(InputError, match="stay as they are while they are read"):
            image.check_unchanged()


def test_simpleitk_and_tensorstore_agree_with_what_is_read(tmp_path: Path) -> None:
    """Two more writers: ITK's TIFF, and tensorstore's Zarr by its own defaults."""
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(GREY[0]), str(tmp_path / "a.tif"))
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{tmp_path}/b.zarr/"}}
    array = tensorstore.open(spec, create=True, dtype="uint16", shape=GREY[0].shape).result()
    array[...] = GREY[0]
    for name in ("a.tif", "b.zarr"):
        np.testing.assert_array_equal(read_image(tmp_path / name).array[0], GREY[0])


@pytest.mark.parametrize("rows", [slice(None), slice(5, 60)])
def test_regions_of_very_many_chunks_are_read_as_they_are(tmp_path: Path, rows: slice) -> None:
    whole = np.arange(8 * 64 * 160, dtype=np.uint32).reshape(8, 64, 160)
    zarr.create_array(tmp_path / "a", data=whole, chunks=(1, 4, 4), shards=(8, 32, 160))
    with open_image(tmp_path / "a") as image:
        assert np.array_equal(image.read(0, 1, 8, rows), whole[1:8, rows])


def test_shards_that_are_absent_are_empty_among_those_that_are_there(tmp_path: Path) -> None:
    shape, places = (9, 20, 10_000), (slice(8, 9), slice(16, 20), slice(4_000, 4_040))
    array = zarr.create_array(
        tmp_path / "a", shape=shape, dtype="u2", chunks=(2, 4, 4), shards=(8, 16, 32)
    )
    array[places] = 7
    whole = np.zeros(shape, np.uint16)
    whole[places] = 7
    with open_image(tmp_path / "a") as image:
        assert np.array_equal(image.read(0, 0, 9), whole)


@pytest.mark.parametrize("shape", [(0, 3, 4), (5, 3, 0), (0, 5, 3, 4)])
def test_an_hdf5_file_without_voxels_is_refused(tmp_path, shape):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", shape, np.uint16)
    with pytest.raises(InputError, match=r"a\.h5: expected a 3D image, found shape"):
        open_image(tmp_path / "a.h5")


@pytest.mark.parametrize("size", [[1.0, 2.0], [1.0, 2.0, 3.0, 4.0], 3.0, "x", [[1.0, 2.0, 3.0]]])
def test_a_voxel_size_of_other_than_three_numbers_is_refused(tmp_path, size):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image"] = np.ones((3, 4, 5), np.uint16)
        file.attrs["voxel_size_um"] = size
    with pytest.raises(InputError, match=r"a\.h5: .*voxel_size_um: three numbers"):
        open_image(tmp_path / "a.h5")
