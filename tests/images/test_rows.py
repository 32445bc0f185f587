"""Rows of the samples table that name files: patterns, channels, voxel sizes, links."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from selma3d.challenge.samples import Sample
from selma3d.images import PatchFile, VolumeFile
from selma3d.images.conversion.patch_conversion import PatchSettings, convert_patches
from selma3d.images.conversion.volume_conversion import (
    VolumeSettings,
    channel_sources,
    convert_volume,
)
from selma3d.system.errors import InputError

GREY = np.random.default_rng(0).integers(0, 4000, (2, 6, 20, 30)).astype(np.uint16)
WHOLE = (slice(None),) * 3


def planes(folder: Path, name: str, channel: int, numbers: range = range(6)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for z, number in enumerate(numbers):
        tifffile.imwrite(folder / name.format(number), GREY[channel, z])


def row(image: str, **cells: object) -> Sample:
    given = {"structure": "s", "kind": "volume", "sample": "a", "specimen": "m1", "role": ""}
    return Sample(**{**given, "archive": "lab", "image": image, "mask": "", **cells})


def converted(lab: Path, sample: Sample, links: tuple[Path, ...] = (), **options) -> VolumeFile:
    out = lab.parent / "out"
    size = options.pop("structure_size", None)
    settings = VolumeSettings(
        row_voxel_size_um=sample.voxel_size_um, row_channel=sample.channel, **options
    )
    sources = channel_sources(lab, sample.images, links=links)
    convert_volume(
        sources, out / "v.h5", out / "v.tsv", out / "work",
        specimen="", sample="a", voxel_size_um=size, settings=settings,
    )  # fmt: skip
    return VolumeFile(out / "v.h5")


def mixed(lab: Path) -> str:
    planes(lab / "brain 1", "C00_z{:03d}.tif", 0)
    planes(lab / "brain 1", "C01_z{:03d}.tif", 1)
    return "brain 1/C00_*.tif, brain 1/C01_*.tif"


def wavelengths(lab: Path) -> str:
    planes(lab / "b/Ex_642_Em_680", "{:06d}.tif", 0, range(0, 600, 100))
    planes(lab / "b/Ex_488_Em_525", "{:06d}.tif", 1, range(0, 600, 100))
    return "b/Ex_642_Em_680,b/Ex_488_Em_525"


def folders_in_one(lab: Path) -> str:
    planes(lab / "b/C00", "z{}.tif", 0)
    planes(lab / "b/C01", "z{}.tif", 1)
    return "b"


def stack_and_folder(lab: Path) -> str:
    planes(lab / "b", "z{}.tif", 0)
    tifffile.imwrite(lab / "second.tif", GREY[1], photometric="minisblack")
    return "b, second.tif"


@pytest.mark.parametrize("lay", [mixed, wavelengths, folders_in_one, stack_and_folder])
def test_a_row_names_the_planes_of_each_channel(tmp_path: Path, lay) -> None:
    volume = converted(tmp_path / "lab", row(lay(tmp_path / "lab")))
    for channel in range(2):
        np.testing.assert_array_equal(volume.read(channel, WHOLE), GREY[channel])


def test_both_channels_in_one_folder_are_told_how_to_name_them(tmp_path: Path) -> None:
    mixed(tmp_path / "lab")
    with pytest.raises(InputError, match=r"name a pattern for each channel.*\*_C00_\*\.tif"):
        converted(tmp_path / "lab", row("brain 1"))
    with pytest.raises(InputError, match=r"C07_\*\.tif: expected TIFF planes of such names"):
        converted(tmp_path / "lab", row("brain 1/C07_*.tif"))


def test_a_row_chooses_the_channel_that_networks_see(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    planes_of = {"image": mixed(lab)}
    swapped = converted(lab, row(planes_of["image"], channel="1"), channel=0)
    np.testing.assert_array_equal(swapped.read(0, WHOLE), GREY[1])
    np.testing.assert_array_equal(swapped.read(1, WHOLE), GREY[0])
    with pytest.raises(InputError, match="channel: expected one of 0, 1, found '2'"):
        converted(lab, row(planes_of["image"], channel="2"))
    with pytest.raises(InputError, match="expected at least 3 channels"):
        converted(lab, row(planes_of["image"], channel="1"), channel=2)


def test_a_channel_may_be_named_as_its_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    names = {"axes": "CZYX", "Channel": {"Name": ["DAPI", "cFos"]}}
    tifffile.imwrite(tmp_path / "lab/a.ome.tif", GREY, ome=True, metadata=names)
    volume = converted(tmp_path / "lab", row("a.ome.tif", channel="CFOS"))
    np.testing.assert_array_equal(volume.read(0, WHOLE), GREY[1])
    with pytest.raises(InputError, match=r"expected one of 0 \(DAPI\), 1 \(cFos\), found 'c-Fos'"):
        converted(tmp_path / "lab", row("a.ome.tif", channel="c-Fos"))


@pytest.mark.parametrize("text", ["6 2 1.5", "6, 2, 1.5", "6×2×1.5", "[6, 2, 1.5]", " 6;2;1.5 "])
def test_a_voxel_size_is_written_in_any_of_the_usual_ways(text: str) -> None:
    read = Sample.model_validate_strings(
        dict.fromkeys(("specimen", "role", "archive", "mask"), "")
        | {"structure": "s", "kind": "volume", "sample": "a", "image": "x", "voxel_size_um": text}
    )
    assert read.voxel_size_um == (6, 2, 1.5)
    assert Sample.read(read.plain()) == read


def ome_stack(lab: Path) -> str:
    lab.mkdir(exist_ok=True)
    size = {f"PhysicalSize{axis}": s for axis, s in zip("ZYX", (6.0, 2.0, 1.5), strict=True)}
    tifffile.imwrite(lab / "a.ome.tif", GREY[0], ome=True, metadata={"axes": "ZYX", **size})
    return "a.ome.tif"


@pytest.mark.parametrize(
    ("of_row", "structure", "found"),
    [
        (None, None, (6, 2, 1.5)),
        ((6.0, 2.01, 1.5), (9.0, 9.0, 9.0), (6, 2.01, 1.5)),
        (None, (6.0, 2.0, 1.51), (6, 2, 1.5)),
        ((5.0, 2.0, 1.5), None, r"expected voxels of 5 × 2 × 1\.5 µm .* its row .* found 6 × 2"),
        (None, (6.0, 2.0, 2.0), r"expected voxels of 6 × 2 × 2 µm .* the edition .* found 6 × 2"),
    ],
)
def test_row_header_and_structure_agree_or_both_are_named(
    tmp_path: Path, of_row, structure, found
) -> None:
    sample = row(ome_stack(tmp_path / "lab"), voxel_size_um=of_row)
    if isinstance(found, tuple):
        volume = converted(tmp_path / "lab", sample, structure_size=structure)
        assert volume.voxel_size_um == found
        return
    with pytest.raises(InputError, match=found):
        converted(tmp_path / "lab", sample, structure_size=structure)
    allowed = converted(
        tmp_path / "lab", sample, structure_size=structure, allow=["other-geometry"]
    )
    assert allowed.voxel_size_um == (of_row or (6, 2, 1.5))


def test_a_row_without_header_counts_before_the_structure(tmp_path: Path) -> None:
    image = wavelengths(tmp_path / "lab")
    volume = converted(
        tmp_path / "lab", row(image, voxel_size_um=(10.0, 1.0, 1.0)), structure_size=(9.0, 9.0, 9.0)
    )
    assert volume.voxel_size_um == (10, 1, 1)


def test_links_are_followed_only_where_they_may_lead(tmp_path: Path) -> None:
    planes(tmp_path / "share/b", "z{}.tif", 0)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/b").symlink_to(tmp_path / "share/b")
    (tmp_path / "lab/c").mkdir()
    for z in range(6):
        (tmp_path / f"lab/c/z{z}.tif").symlink_to(tmp_path / f"share/b/z{z}.tif")
    for image in ("b", "c", "c/z*.tif"):
        with pytest.raises(InputError, match=r"found one that leads to .*share"):
            converted(tmp_path / "lab", row(image))
        volume = converted(tmp_path / "lab", row(image), links=(tmp_path / "share",))
        np.testing.assert_array_equal(volume.read(0, WHOLE), GREY[0])


def test_rows_of_patches_choose_channel_and_voxel_size(tmp_path: Path) -> None:
    for name, voxels in (("c0", GREY[0]), ("c1", GREY[1]), ("mask", GREY[0] > 3000)):
        np.save(tmp_path / f"{name}.npy", voxels.astype(np.uint16))
    cells = {"kind": "patch", "mask": " mask.npy ", "channel": "1", "voxel_size_um": (6, 2, 2)}
    sample = row(" c0.npy , c1.npy", **cells)
    convert_patches(
        tmp_path, None, [sample], tmp_path / "p.h5", tmp_path / "p.tsv",
        structure="s", settings=PatchSettings(voxel_size_um=(9.0, 9.0, 9.0)),
    )  # fmt: skip
    with PatchFile(tmp_path / "p.h5") as patches:
        np.testing.assert_array_equal(patches.image("a", 0), GREY[1])
        assert patches.voxel_size_um("a") == (6, 2, 2)
