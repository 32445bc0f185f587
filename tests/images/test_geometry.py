"""Images, channels and masks on one grid, and labels that mean something else than they seem."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from selma3d.images import PatchFile
from selma3d.images.conversion.patch_conversion import PatchSettings, convert_patches
from selma3d.images.readers import read_image
from selma3d.images.readers.formats.nifti import write_nifti
from selma3d.system.errors import InputError

SHAPE = (5, 6, 7)
GREY = np.random.default_rng(0).integers(100, 4000, SHAPE).astype(np.uint16)
MASK = (GREY > 3300).astype(np.uint8)
EYE = np.eye(4)


def nifti(path: Path, array: np.ndarray, affine: np.ndarray = EYE, unit: str = "unknown") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array.T, affine, dtype=array.dtype)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)


def reversed_axes(axes: str, array: np.ndarray, spacing=(1.0, 1.0, 1.0)):
    """The array stored backwards along these axes, and an affine that says so."""
    affine = np.diag([*spacing, 1.0])
    for axis in axes:
        i = "xyz".index(axis)
        affine[i, 3] = affine[i, i] * (array.shape[2 - i] - 1)
        affine[i, i] *= -1
        array = np.flip(array, 2 - i)
    return np.ascontiguousarray(array), affine


def convert(root: Path, **settings) -> PatchFile:
    h5 = root / "out" / "p.h5"
    chosen = PatchSettings(**settings)
    convert_patches(root, "s", [], h5, h5.with_suffix(".tsv"), structure="s", settings=chosen)
    return PatchFile(h5)


def patch(root: Path, mask=MASK, affine=EYE, *, image=GREY, image_affine=EYE, units=("", "")):
    nifti(root / "s/raw/000_0000.nii.gz", image, image_affine, units[0] or "unknown")
    nifti(root / "s/gt/000.nii.gz", mask, affine, units[1] or "unknown")


@pytest.mark.parametrize("axes", ["x", "y", "z", "xy", "xyz"])
@pytest.mark.parametrize("which", ["mask", "image"])
def test_reversed_axes_are_turned_back(tmp_path: Path, axes: str, which: str) -> None:
    spacing = (1.6, 1.6, 6.0)
    same = np.diag([*spacing, 1.0])
    if which == "mask":
        patch(tmp_path, *reversed_axes(axes, MASK, spacing), image_affine=same)
    else:
        image, affine = reversed_axes(axes, GREY, spacing)
        patch(tmp_path, MASK, same, image=image, image_affine=affine)
    with convert(tmp_path) as patches:
        on = patches.image("000", 0)[patches.mask("000") > 0]
        assert len(on) == MASK.sum()
        assert on.min() > 3300


def test_a_channel_is_turned_onto_the_first_and_mha_onto_nifti(tmp_path: Path) -> None:
    patch(tmp_path)
    nifti(tmp_path / "s/raw/000_0001.nii.gz", *reversed_axes("y", GREY + 1))
    (tmp_path / "s/gt/000.nii.gz").unlink()
    # NIfTI runs to the right and the front, ITK to the left and the back.
    mask = SimpleITK.GetImageFromArray(np.flip(MASK, 2).copy())
    mask.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, 1))
    mask.SetOrigin((-(SHAPE[2] - 1), 0, 0))
    SimpleITK.WriteImage(mask, str(tmp_path / "s/gt/000.mha"))
    with convert(tmp_path) as patches:
        np.testing.assert_array_equal(patches.image("000", 1), GREY + 1)
        np.testing.assert_array_equal(patches.mask("000"), MASK)


TRANSPOSED = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
TILTED = np.array([[0.98, -0.2, 0, 0], [0.2, 0.98, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
ELSEWHERE = np.diag([-1.0, 1.0, 1.0, 1.0])


def at(*origin: float) -> np.ndarray:
    return nibabel.affines.from_matvec(np.eye(3) * 2, origin)


def test_a_mask_of_another_place_is_refused_and_one_without_a_place_is_not(tmp_path: Path) -> None:
    patch(tmp_path, MASK, at(106, 50, 20), image_affine=at(100, 50, 20))
    with pytest.raises(InputError, match=r"expected origin -100 -50 20 .*found origin -106 -50 20"):
        convert(tmp_path)
    for accepted in (at(0, 0, 0), at(101, 50, 20)):
        patch(tmp_path, MASK, accepted, image_affine=at(100, 50, 20))
        with convert(tmp_path) as patches:
            np.testing.assert_array_equal(patches.mask("000"), MASK)


def twofold(path: Path, array: np.ndarray, sform, qform=None, pixdim=None) -> None:
    image = nibabel.Nifti1Image(array.T, None)
    image.header.set_xyzt_units("micron")
    image.set_sform(sform, 1)
    if qform is not None:
        image.set_qform(qform, 1)
    if pixdim is not None:
        image.header.set_zooms(pixdim)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)


def test_a_header_that_says_two_directions_is_refused_unless_allowed(tmp_path: Path) -> None:
    patch(tmp_path)
    twofold(tmp_path / "s/gt/000.nii.gz", MASK, reversed_axes("x", MASK)[1], EYE)
    with pytest.raises(InputError, match=r"gt/000.*one geometry.*found a sform and a qform"):
        convert(tmp_path)
    with convert(tmp_path, allow=["other-geometry"]) as patches:
        np.testing.assert_array_equal(patches.mask("000"), MASK)


@pytest.mark.parametrize(
    ("sform", "pixdim", "size", "message"),
    [
        ((2, 2, 6), (2, 2, 6), (6, 2, 2), ""),
        ((2, 2, 6), (1, 1, 1), (6, 2, 2), ""),
        ((1, 1, 1), (2, 2, 6), (6, 2, 2), ""),
        ((2, 2, 6), (3, 3, 6), None, "spacing 3 × 3 × 6 in pixdim and 2 × 2 × 6 in sform"),
    ],
)
def test_a_voxel_size_comes_from_what_says_one_of_sform_and_pixdim(
    tmp_path: Path, caplog, sform, pixdim, size, message: str
) -> None:
    twofold(tmp_path / "a.nii", GREY, np.diag([*sform, 1.0]), pixdim=pixdim)
    assert read_image(tmp_path / "a.nii").voxel_size_um == size
    assert message in caplog.text


@pytest.mark.parametrize(
    ("affine", "units", "message"),
    [
        (np.diag([2.0, 2, 2, 1]), ("micron", "micron"), "spacing 1 1 1 µm .*found spacing 2 2 2"),
        (np.diag([2.0, 2, 2, 1]), ("", ""), "spacing 1 1 1 without a unit .*found spacing 2 2 2"),
        (np.diag([1.0, 1, 3, 1]), ("micron", ""), "found spacing 1 1 3 without a unit"),
        (EYE, ("micron", "mm"), "spacing 1 1 1 µm .* found spacing 1 1 1 mm"),
        (TRANSPOSED, ("", ""), "direction .* found direction"),
        (TILTED, ("", ""), "direction .* found direction"),
        (ELSEWHERE, ("", ""), "direction .* with origin .* found direction"),
    ],
)
def test_headers_that_disagree_are_refused_unless_allowed(
    tmp_path: Path, affine, units, message
) -> None:
    patch(tmp_path, MASK, affine, units=units)
    with pytest.raises(InputError, match=rf"000\.nii\.gz: expected .*{message}"):
        convert(tmp_path)
    with convert(tmp_path, allow=["other-geometry"]) as patches:
        np.testing.assert_array_equal(patches.mask("000"), MASK)


@pytest.mark.parametrize(
    ("image_affine", "affine", "units"),
    [
        (np.diag([1.6, 1.6, 6, 1]), EYE, ("micron", "")),  # the mask's header says nothing
        (np.diag([1.6, 1.6, 6, 1]), EYE, ("", "")),
        (np.diag([1.6, 1.6, 6, 1]), np.diag([0.0016, 0.0016, 0.006, 1]), ("micron", "mm")),
        (np.diag([1.6, 1.6, 6, 1]), np.diag([0.0016, 0.0016, 0.006, 1]), ("micron", "")),
        (np.diag([1.6, 1.6, 6, 1]), np.diag([1.6, 1.6, 6.001, 1]), ("micron", "micron")),
    ],
)
def test_headers_that_say_the_same_are_accepted(tmp_path, image_affine, affine, units) -> None:
    patch(tmp_path, MASK, affine, image_affine=image_affine, units=units)
    with convert(tmp_path) as patches:
        np.testing.assert_array_equal(patches.mask("000"), MASK)


@pytest.mark.parametrize(("spacing", "unit"), [(1.0, "mm"), (0.005, "micron"), (1e-5, "meter")])
def test_sizes_that_no_microscope_has_are_unknown_and_said_so(tmp_path, caplog, spacing, unit):
    nifti(tmp_path / "a.nii", GREY, np.diag([spacing, spacing, spacing, 1]), unit)
    known = unit == "meter"
    assert (read_image(tmp_path / "a.nii").voxel_size_um is not None) == known
    assert ("taken as unknown" in caplog.text) != known


def test_a_nifti_keeps_its_geometry(tmp_path: Path) -> None:
    nifti(tmp_path / "in.nii.gz", *reversed_axes("xz", GREY, (1.6, 1.7, 6.0)), "micron")
    stored = read_image(tmp_path / "in.nii.gz")
    write_nifti(stored.array[0], tmp_path / "out.nii.gz", stored.geometry)
    expected, found = (nibabel.load(tmp_path / name) for name in ("in.nii.gz", "out.nii.gz"))
    np.testing.assert_allclose(found.affine, expected.affine, atol=1e-5)
    assert found.header.get_xyzt_units() == expected.header.get_xyzt_units()


# What labels mean


@pytest.mark.parametrize(
    ("mask", "message", "allow"),
    [
        (MASK + 1, "expected background, labelled 0, found labels 1, 2 without it", "full-mask"),
        (MASK * 2 + 3, "found labels 3, 5 without it", "full-mask"),
        (np.where(MASK, 0, 1).astype(np.uint8), "found next to none", "full-mask"),
        (np.where(MASK, 0, 255).astype(np.uint8), "found next to none", "full-mask"),
        (np.ones_like(MASK), "found next to none", "full-mask"),
        (np.where(GREY < 300, 255, MASK).astype(np.uint8), "0, 1, 255 with 255", "ignore-label"),
        (np.where(GREY < 300, np.uint16(65535), MASK), "with 65535", "ignore-label"),
        (np.where(GREY < 300, np.uint8(255), MASK * 2), "0, 2, 255 with 255", "ignore-label"),
        (np.where(GREY < 300, np.float32(255), MASK), "0, 1, 255 with 255", "ignore-label"),
        (np.where(GREY < 300, np.uint32(2**32 - 1), MASK), "with 4294967295", "ignore-label"),
    ],
)
def test_labels_that_mean_something_else_are_refused_unless_allowed(
    tmp_path: Path, mask, message, allow
) -> None:
    patch(tmp_path, mask)
    with pytest.raises(InputError, match=rf"000\.nii\.gz: .*{message}.*allow"):
        convert(tmp_path)
    with convert(tmp_path, allow=[allow]) as patches:
        np.testing.assert_array_equal(patches.mask("000"), (mask > 0).astype(np.uint8))


@pytest.mark.parametrize(
    "mask",
    [
        MASK * 255,
        np.where(GREY > 3600, 95, MASK * 255).astype(np.uint8),
        np.cumsum(MASK.ravel()).reshape(SHAPE).astype(np.uint16) * MASK,
        (MASK * (1 + 2e-4)).astype(np.float32),
        MASK.astype(bool).astype(np.int8),
        np.where(MASK, np.uint32(2**25 + 1), 0).astype(np.uint32),
        np.where(MASK, np.int64(2**40 + 3), 0),
    ],
)
def test_masks_instances_and_rounded_labels_are_foreground_above_0(tmp_path: Path, mask) -> None:
    patch(tmp_path, mask)
    with convert(tmp_path) as patches:
        np.testing.assert_array_equal(patches.mask("000"), MASK)


def test_an_ignore_value_below_0_is_named(tmp_path: Path) -> None:
    patch(tmp_path, np.where(GREY < 300, np.int16(-1), MASK))
    with pytest.raises(InputError, match="expected labels from 0, found -1"):
        convert(tmp_path)
