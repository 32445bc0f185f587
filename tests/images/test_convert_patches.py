"""Image files of published patches -> HDF5."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import SimpleITK
import tifffile

from selma3d.challenge.samples import Sample
from selma3d.images import Intensity, PatchFile, VolumeFile, read_index
from selma3d.images.conversion.patch_conversion import (
    PatchSettings,
    cases_from_split,
    convert_patches,
)
from selma3d.images.conversion.volume_conversion import convert_volume
from selma3d.images.overview import overview
from selma3d.images.readers import read_image
from selma3d.system.errors import InputError

SHAPE = (5, 6, 7)  # Z,Y,X


@pytest.fixture
def grey() -> np.ndarray:
    """(Z,Y,X), whole numbers above one byte."""
    return np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.uint16)


@pytest.fixture
def labels(grey) -> np.ndarray:
    return (grey > 3000).astype(np.uint8)


def save_nifti(path: Path, array: np.ndarray, unit: str | None = None, zooms=(1, 1, 1)) -> None:
    """Write (Z,Y,X,…) as NIfTI, whose axes are X,Y,Z,…"""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = array.transpose(2, 1, 0, *range(3, array.ndim))
    image = nibabel.Nifti1Image(stored, np.diag([*zooms, 1]), dtype=array.dtype)
    if unit:
        image.header.set_xyzt_units(unit)
    nibabel.save(image, path)


def row(**cells: str) -> Sample:
    """A row of a samples table; cells that are not given are empty."""
    names = dict.fromkeys(Sample.model_fields, "")
    return Sample(**names | {"structure": "s", "kind": "patch"} | cells)


def convert(root: Path, folder: str | None = "s", rows=(), **options) -> PatchFile:
    h5 = root / "out" / "patches.h5"
    settings = PatchSettings(**options)
    convert_patches(
        root, folder, rows, h5, h5.with_suffix(".tsv"), structure="s", settings=settings
    )
    return PatchFile(h5)


def test_axes_become_z_y_x(tmp_path, grey, labels):
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", grey)
    save_nifti(tmp_path / "s/gt/patchvolume_000.nii.gz", labels)
    patches = convert(tmp_path)
    assert patches.ids == ["000"]
    np.testing.assert_array_equal(patches.image("000", 0), grey)
    np.testing.assert_array_equal(patches.mask("000"), labels)


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        ("uint8", np.uint8),
        ("uint16", np.uint16),
        ("int16", np.uint16),
        ("int32", np.uint16),
        ("float32", np.uint16),
        ("float64", np.uint16),
    ],
)
def test_whole_numbers_become_unsigned_integers_without_loss(tmp_path, grey, labels, stored, kept):
    grey = (grey % 256).astype(stored)
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", grey)
    save_nifti(tmp_path / "s/gt/patchvolume_000.nii.gz", labels)
    patches = convert(tmp_path)
    assert patches.image("000").dtype == kept
    np.testing.assert_array_equal(patches.image("000", 0), grey)
    assert patches.attributes("000")["source_dtype"] == str(np.dtype(stored))


def test_big_endian_files_read_the_same(tmp_path, grey):
    np.save(tmp_path / "a.npy", grey.astype(">u2"))
    tifffile.imwrite(tmp_path / "a.tif", grey, byteorder=">", photometric="minisblack")
    big = nibabel.Nifti1Header(endianness=">")
    big.set_data_dtype(grey.dtype)
    nibabel.save(nibabel.Nifti1Image(grey.T, np.eye(4), big), tmp_path / "a.nii")
    for name in ("a.npy", "a.tif", "a.nii"):
        np.testing.assert_array_equal(read_image(tmp_path / name).array, grey[None])


def test_fractions_stay_floating_point(tmp_path, grey, labels):
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", grey.astype(np.float64) + 0.5)
    save_nifti(tmp_path / "s/gt/patchvolume_000.nii.gz", labels)
    image = convert(tmp_path).image("000", 0)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, grey + 0.5)


@pytest.mark.parametrize("values", [(0, 1), (0, 255), (0, 95, 255), (0, 3, 40000)])
def test_every_mask_encoding_is_binarised_above_zero(tmp_path, grey, values):
    mask = np.random.default_rng(1).choice(values, SHAPE)
    mask[0, 0, : len(values)] = values
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", grey)
    save_nifti(tmp_path / "s/gt/patchvolume_000.nii.gz", mask.astype(np.uint16))
    patches = convert(tmp_path)
    np.testing.assert_array_equal(patches.mask("000"), mask > 0)
    assert json.loads(patches.attributes("000")["source_mask_values"]) == list(values)


def test_channel_files_and_singleton_axes_are_joined(tmp_path, grey, labels):
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", grey[..., None])
    save_nifti(tmp_path / "s/raw/patchvolume_000_0001.nii.gz", grey[::-1])
    save_nifti(tmp_path / "s/gt/patchvolume_000.nii.gz", labels[..., None])
    patches = convert(tmp_path)
    np.testing.assert_array_equal(patches.image("000"), np.stack([grey, grey[::-1]]))
    assert patches.attributes("000")["source_axes"] == "XYZT, XYZ"
    np.testing.assert_array_equal(patches.mask("000"), labels)


def test_header_without_unit_is_an_unknown_voxel_size(tmp_path, grey, labels):
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", grey, zooms=(1.6, 1.6, 6))
    save_nifti(tmp_path / "s/gt/patchvolume_000.nii.gz", labels)
    assert convert(tmp_path).voxel_size_um("000") is None


def test_header_with_unit_is_read_and_an_edition_that_disagrees_is_told(tmp_path, grey, labels):
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", grey, "micron", (1.5, 2, 6))
    save_nifti(tmp_path / "s/gt/patchvolume_000.nii.gz", labels)
    assert convert(tmp_path).voxel_size_um("000") == (6, 2, 1.5)
    with pytest.raises(InputError, match=r"voxels of 5 × 1 × 1 µm .* edition .* 6 × 2 × 1\.5"):
        convert(tmp_path, voxel_size_um=(5.0, 1.0, 1.0))
    patches = convert(tmp_path, voxel_size_um=(5.0, 1.0, 1.0), allow=["other-geometry"])
    assert patches.voxel_size_um("000") == (6, 2, 1.5)
    assert json.loads(patches.attributes("000")["source_voxel_size_um"]) == [6, 2, 1.5]


def write_tiff_pages(path: Path, grey: np.ndarray) -> None:
    tifffile.imwrite(path, grey, photometric="minisblack", compression="zlib")


def write_ome_tiff(path: Path, grey: np.ndarray) -> None:
    tifffile.imwrite(path, grey, ome=True, metadata={"axes": "ZYX"})


def write_imagej_tiff(path: Path, grey: np.ndarray) -> None:
    tifffile.imwrite(path, grey, imagej=True, metadata={"axes": "ZYX"})


def write_planes(path: Path, grey: np.ndarray) -> None:
    path.mkdir()
    for z, plane in enumerate(grey):
        tifffile.imwrite(path / f"z{z}.tif", plane)


def write_mha(path: Path, grey: np.ndarray) -> None:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(grey), str(path), useCompression=True)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.nii", save_nifti),
        ("a.mha", write_mha),
        ("a.tif", write_tiff_pages),
        ("a.ome.tif", write_ome_tiff),
        ("a.tiff", write_imagej_tiff),
        ("a.npy", np.save),
        ("a", write_planes),
    ],
)
def test_every_format_gives_the_same_image(tmp_path, grey, name, write):
    write(tmp_path / name, grey)
    np.testing.assert_array_equal(read_image(tmp_path / name).array, grey[None])


def test_nifti_of_the_second_version_reads(tmp_path, grey):
    nibabel.save(nibabel.Nifti2Image(grey.transpose(2, 1, 0), np.eye(4)), tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii.gz").array, grey[None])


@pytest.mark.parametrize("axes", ["CZYX", "ZCYX"])
def test_channels_of_an_ome_tiff_come_first(tmp_path, grey, axes):
    channels = np.stack([grey, grey[::-1]])
    stored = channels if axes == "CZYX" else channels.swapaxes(0, 1)
    tifffile.imwrite(tmp_path / "a.ome.tif", stored, ome=True, metadata={"axes": axes})
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif").array, channels)


def test_tiff_voxel_sizes_are_read_in_micrometres(tmp_path, grey):
    sizes = {"PhysicalSizeX": 500, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 2}
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        grey,
        ome=True,
        metadata={"axes": "ZYX", **sizes, "PhysicalSizeZ": 6},
    )
    assert read_image(tmp_path / "a.ome.tif").voxel_size_um == (6, 2, 0.5)
    tifffile.imwrite(
        tmp_path / "b.tif",
        grey,
        imagej=True,
        resolution=(0.5, 0.25),
        metadata={"axes": "ZYX", "unit": "micron", "spacing": 6},
    )
    assert read_image(tmp_path / "b.tif").voxel_size_um == pytest.approx((6, 4, 2))


def test_rows_state_specimens_and_name_own_files(tmp_path, grey, labels):
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", grey)
    save_nifti(tmp_path / "s/gt/patchvolume_000.nii.gz", labels)
    np.save(tmp_path / "own.npy", grey)
    np.save(tmp_path / "own_mask.npy", labels)
    rows = [
        row(sample="000", specimen="brain1", role="training"),
        row(sample="mine", image="own.npy", mask="own_mask.npy"),
    ]
    patches = convert(tmp_path, rows=rows)
    assert patches.ids == ["000", "mine"]
    assert [patches.specimen(patch) for patch in patches.ids] == ["brain1", ""]
    np.testing.assert_array_equal(patches.mask("mine"), labels)


def test_a_row_may_name_channel_files(tmp_path, grey, labels):
    for number in range(2):
        np.save(tmp_path / f"c{number}.npy", grey + number)
    np.save(tmp_path / "mask.npy", labels)
    mine = row(sample="mine", specimen="a", image="c0.npy,c1.npy", mask="mask.npy")
    assert len(convert(tmp_path, None, [mine]).image("mine")) == 2


def test_files_without_channel_number_are_whole_images(tmp_path, grey, labels):
    for patch in ("case_0001", "case_0002"):
        save_nifti(tmp_path / f"s/raw/{patch}.nii.gz", grey)
        save_nifti(tmp_path / f"s/gt/{patch}.nii.gz", labels)
    assert convert(tmp_path).ids == ["case_0001", "case_0002"]


def test_blind_cases_have_no_mask(tmp_path, grey):
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", grey)
    patches = convert(tmp_path, kind="cases")
    assert patches.mask("000") is None
    assert read_index(patches.path.with_suffix(".tsv"))["labelled"].tolist() == [0]


def test_allowed_oddities_are_recorded(tmp_path, grey, caplog):
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", np.full_like(grey, 7))
    save_nifti(tmp_path / "s/gt/patchvolume_000.nii.gz", np.zeros_like(grey))
    with caplog.at_level(logging.WARNING):
        patches = convert(tmp_path, allow=["empty-mask", "constant-image"])
    assert patches.attributes("000")["allowed"] == "constant-image, empty-mask"
    assert "patchvolume_000.nii.gz: empty-mask, allowed" in caplog.text


def test_a_black_image_is_no_mask(tmp_path, grey, labels):
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", np.zeros_like(grey))
    save_nifti(tmp_path / "s/gt/patchvolume_000.nii.gz", labels)
    patches = convert(tmp_path, allow=["constant-image"])
    assert patches.attributes("000")["allowed"] == "constant-image"


def test_hidden_files_are_left_out(tmp_path, grey, labels):
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", grey)
    save_nifti(tmp_path / "s/gt/patchvolume_000.nii.gz", labels)
    (tmp_path / "s/raw/.DS_Store").write_bytes(b"x")
    assert convert(tmp_path).ids == ["000"]


def test_cases_drawn_from_a_split_are_its_test_patches_and_say_so(tmp_path, grey, labels):
    for patch in ("000", "001", "002"):
        save_nifti(tmp_path / f"s/raw/patchvolume_{patch}_0000.nii.gz", grey + int(patch))
        save_nifti(tmp_path / f"s/gt/patchvolume_{patch}.nii.gz", labels)
    patches = convert(tmp_path)
    split = pd.DataFrame(
        {"patch": patches.ids, "role": ["train", "test", "test"], "grouped_by": "index-block"}
    )
    cases_from_split(patches.path, split, tmp_path / "cases.h5", tmp_path / "cases.tsv")
    cases = PatchFile(tmp_path / "cases.h5")
    assert cases.ids == ["001", "002"]
    assert cases.file.attrs["kind"] == "cases"
    assert "index-block" in cases.file.attrs["drawn_from_split"]
    assert "drawn_from_split" not in patches.file.attrs
    np.testing.assert_array_equal(cases.image("002"), patches.image("002"))
    indexes = [read_index(p.path.with_suffix(".tsv")).set_index("id") for p in (patches, cases)]
    assert indexes[0].loc["001", "sha256"] == indexes[1].loc["001", "sha256"]


def test_split_without_test_patches_gives_no_cases(tmp_path, grey, labels):
    save_nifti(tmp_path / "s/raw/patchvolume_000_0000.nii.gz", grey)
    save_nifti(tmp_path / "s/gt/patchvolume_000.nii.gz", labels)
    split = pd.DataFrame({"patch": ["000"], "role": ["train"], "grouped_by": "specimen"})
    with pytest.raises(InputError, match="expected test patches"):
        cases_from_split(convert(tmp_path).path, split, tmp_path / "c.h5", tmp_path / "c.tsv")


@pytest.mark.parametrize("blind", [False, True])
def test_overview_draws_and_tabulates_every_patch(tmp_path, grey, labels, blind):
    for patch in range(2):
        save_nifti(tmp_path / f"s/raw/patchvolume_00{patch}_0000.nii.gz", grey)
        if not blind:
            save_nifti(tmp_path / f"s/gt/patchvolume_00{patch}.nii.gz", labels)
    patches = convert(tmp_path, kind="cases")
    figures = {suffix: tmp_path / f"overview.{suffix}" for suffix in ("svg", "png")}
    overview(patches.path, "s", figures, tmp_path / "overview.tsv", 0)
    assert all(figure.stat().st_size > 1000 for figure in figures.values())
    table = pd.read_csv(tmp_path / "overview.tsv", sep="\t")
    assert table["foreground"].tolist() == pytest.approx(
        [np.nan] * 2 if blind else [labels.mean()] * 2, nan_ok=True
    )


SUBSETS = {"cFos-Active_Neurons": 16, "microglia": 12, "VessAP_vessel": 4}


@pytest.mark.parametrize("subset", SUBSETS)
def test_real_patches_convert_with_masks_on_bright_voxels(real_data, tmp_path, subset):
    folder = f"SELMA3D_training_annotated/{subset}"
    root = real_data / "S-BIAD1196" / "Files"
    h5, tsv = tmp_path / "patches.h5", tmp_path / "patches.tsv"
    convert_patches(root, folder, [], h5, tsv, structure=subset)
    patches = PatchFile(h5)
    assert len(patches.ids) == SUBSETS[subset]
    for patch in patches.ids:
        image, mask = patches.image(patch, 0), patches.mask(patch)
        assert image.dtype == np.uint16
        assert np.median(image[mask == 1]) > np.median(image[mask == 0])


@pytest.mark.parametrize("folder", ["vessels", "cell_nucleus", "amyloid_plaque"])
def test_real_crops_of_the_challenge_lie_under_their_masks_and_under_no_other_cut(
    real_data, tmp_path, folder
):
    root = real_data / "selma_crops"
    if not root.is_dir():
        pytest.skip(f"no crops at {root}")
    h5, tsv = tmp_path / "patches.h5", tmp_path / "patches.tsv"
    convert_patches(root, folder, [], h5, tsv, structure=folder)
    patches = PatchFile(h5)
    assert len(patches.ids) == 2
    for patch in patches.ids:
        image, mask = patches.image(patch, 0), patches.mask(patch)
        assert image.shape == mask.shape == (96, 96, 96)
        grey = np.log1p(image.astype(np.float32)).ravel()
        turned = [mask, *(np.flip(mask, axis) for axis in range(3)), mask.transpose(2, 1, 0)]
        fits = [np.corrcoef(grey, cut.ravel())[0, 1] for cut in turned]
        assert np.argmax(fits) == 0, "neither mirrored nor with other axes"
        if folder == "vessels":
            assert not image[:23].any()
            intensity = Intensity.of(image)
            assert intensity == Intensity.of(image[23:73]), "planes of zeros count for nothing"
            assert intensity.noise > 0 and intensity.texture > 0
            assert patches.intensity(patch, 0) == intensity


def test_real_patch_is_the_corner_of_its_brains_volume(real_data, tmp_path):
    subset = "SELMA3D_training_annotated/cFos-Active_Neurons"
    patch = row(
        sample="008",
        specimen="brain1147",
        image=f"{subset}/raw/patchvolume_008_0000.nii.gz",
        mask=f"{subset}/gt/patchvolume_008.nii.gz",
    )
    root, out = real_data / "S-BIAD1196" / "Files", tmp_path
    convert_patches(root, None, [patch], out / "p.h5", out / "p.tsv", structure="cfos")
    planes = real_data / "selma3d_unannotated/cfos/sample1147/C01"
    convert_volume(
        [planes],
        out / "v.h5",
        out / "v.tsv",
        out / "work",
        specimen="brain1147",
        sample="1147",
        voxel_size_um=None,
    )
    corner = VolumeFile(out / "v.h5").read(0, (slice(100),) * 3)
    np.testing.assert_array_equal(corner, PatchFile(out / "p.h5").image("008", 0))
