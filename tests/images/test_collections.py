"""Collections: patches in folders and tars, read one by one, into one file a collection."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
import SimpleITK
import tifffile

from selma3d.images import CollectionFile, Intensity, is_collection, read_index
from selma3d.images.conversion import collection_conversion, collection_shards
from selma3d.images.conversion.collection_conversion import (
    CollectionSettings,
    convert_collection,
)
from selma3d.images.conversion.patch_streams import SUFFIXES, PatchStream
from selma3d.images.readers.formats import extensions
from selma3d.system.errors import InputError

VOLUME = r"(?P<volume>vol\d+)_p\d+"


def voxels(seed: int, shape: tuple[int, int, int] = (40, 36, 34)) -> np.ndarray:
    """(Z,Y,X) uint16."""
    return np.random.default_rng(seed).integers(50, 4000, shape).astype(np.uint16)


def nifti(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(image.transpose(2, 1, 0), np.eye(4)), path)


def patches(root: Path, number: int = 6) -> dict[str, np.ndarray]:
    """Patches of vol0 and vol1 in turn, as NIfTI; path -> voxels."""
    made = {}
    for seed in range(number):
        name = f"cells/vol{seed % 2}_p{seed}.nii.gz"
        made[name] = voxels(seed)
        nifti(root / name, made[name])
    return made


def packed(root: Path, tar: Path) -> Path:
    with tarfile.open(tar, "w:gz") as archive:
        archive.add(root, arcname=root.name)
    return tar


def convert(
    root: Path,
    places: list[str],
    out: Path,
    expression: str = VOLUME,
    **settings: object,
) -> CollectionFile:
    out.mkdir(exist_ok=True)
    convert_collection(
        PatchStream(root, places, expression),
        out / "c.h5",
        out / "c.tsv",
        out / "work",
        sample="c",
        settings=CollectionSettings(threads=1, **settings),
    )
    return CollectionFile(out / "c.h5")


def stored(file: CollectionFile) -> dict[str, np.ndarray]:
    """Every patch of a collection, path -> channel 0."""
    return {
        name.removeprefix("set/"): file.read(stack, row, 0, (slice(None),) * 3)
        for volume in range(len(file.volumes))
        for stack in file.stacks(volume)
        for row, name in enumerate(file.names(stack))
    }


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("where", ["folder", "tar.gz"])
def test_patches_arrive_with_their_source_volumes_constants(tmp_path: Path, where: str) -> None:
    made = patches(tmp_path / "set")
    (tmp_path / "set" / "README.md").write_text("not a patch")
    nifti(tmp_path / "set" / "other" / "vol9_p0.nii.gz", voxels(99))
    place = "set"
    if where == "tar.gz":
        place = packed(tmp_path / "set", tmp_path / "set.tar.gz").name
    file = convert(tmp_path, [f"{place}::*cells/*"], tmp_path / "out", shard_bytes=200_000)
    assert same(stored(file), made)
    assert file.volumes == file.specimens == ("vol0", "vol1")
    of_one = np.concatenate([image for name, image in made.items() if "vol1" in name])
    found, exact = file.intensity(1, 0), Intensity.of(of_one)
    assert found.percentiles == exact.percentiles
    assert (found.mean, found.sd) == pytest.approx((exact.mean, exact.sd))
    assert found.noise == pytest.approx(exact.noise, rel=0.05)
    index = read_index(tmp_path / "out" / "c.tsv")
    assert is_collection(index)
    assert [*index["id"]] == ["vol0", "vol1"]
    assert [*index["patches"].astype(int)] == [3, 3]
    assert not any((tmp_path / "out" / "work").glob("shards-*"))


def test_without_an_expression_a_patchs_folder_is_its_volume(tmp_path: Path) -> None:
    for volume in ("a", "b"):
        nifti(tmp_path / "set" / volume / "input" / "1.nii", voxels(1))
    file = convert(tmp_path, ["set"], tmp_path / "out", "")
    assert file.volumes == ("a/input", "b/input")


def test_nifti_tiff_mha_and_npy_give_the_same_patch(tmp_path: Path) -> None:
    image, folder = voxels(3), tmp_path / "set"
    nifti(folder / "vol0_p0.nii.gz", image)
    nifti(folder / "vol0_p1.nii", image.astype(np.float32))
    tifffile.imwrite(folder / "vol0_p2.tif", image, photometric="minisblack")
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(image), folder / "vol0_p3.mha")
    np.save(folder / "vol0_p4.npy", image)
    found = stored(convert(tmp_path, ["set"], tmp_path / "out"))
    assert len(found) == 5
    assert all(np.array_equal(each, image) for each in found.values())
    assert {*SUFFIXES} <= {*extensions()}


def test_other_shapes_and_channels_stand_in_stacks_of_their_own(tmp_path: Path) -> None:
    nifti(tmp_path / "set" / "vol0_p0.nii", voxels(0))
    nifti(tmp_path / "set" / "vol0_p1.nii", voxels(1, (20, 20, 20)))
    file = convert(tmp_path, ["set"], tmp_path / "out")
    assert sorted(stack.shape for stack in file.stacks(0)) == [(1, 20, 20, 20), (1, 40, 36, 34)]


def test_planes_of_zeros_at_the_faces_count_for_nothing(tmp_path: Path) -> None:
    image = voxels(0, (96, 64, 64))
    image[:23] = image[73:] = 0
    nifti(tmp_path / "set" / "vol0_p0.nii", image)
    file = convert(tmp_path, ["set"], tmp_path / "out")
    assert file.intensity(0, 0).percentiles["0.1"] >= 50
    assert file.intensity(0, 0).noise > 100
    nifti(tmp_path / "air" / "vol0_p0.nii", np.zeros((32, 32, 32), np.uint16))
    assert convert(tmp_path, ["air"], tmp_path / "air out").block_chances(0, 0).tissue == 0


def test_a_killed_conversion_goes_on_at_the_shard_it_was_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = patches(tmp_path / "set", 8)
    tar = packed(tmp_path / "set", tmp_path / "set.tar.gz")
    whole = convert(tmp_path, [tar.name], tmp_path / "whole", shard_bytes=200_000)
    written = []
    real = collection_conversion.write_shard

    def killed(*args: object) -> collection_shards.Shard:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(args[1:3])
        return real(*args)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(collection_conversion, "write_shard", killed)
        convert(tmp_path, [tar.name], tmp_path / "out", shard_bytes=200_000)
    assert not (tmp_path / "out" / "c.h5").exists()
    measured = []
    real_measure = collection_conversion.measured

    def counted(found: object) -> collection_shards.MeasuredPatch:
        measured.append(found)
        return real_measure(found)

    monkeypatch.setattr(collection_conversion, "measured", counted)
    file = convert(tmp_path, [tar.name], tmp_path / "out", shard_bytes=200_000)
    assert len(measured) == len(made) - written[-1][1]
    assert same(stored(file), made)
    assert (tmp_path / "out" / "c.tsv").read_bytes() == (tmp_path / "whole" / "c.tsv").read_bytes()
    assert whole.volumes == file.volumes


@pytest.mark.parametrize("damage", ["truncated", "of another collection", "older", "empty"])
def test_a_shard_that_is_not_whole_or_another_one_s_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    shards = {}
    for name in ("own", "other"):
        patches(tmp_path / name, 8)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(collection_conversion, "_assemble", _killed)
            convert(tmp_path, [name], tmp_path / f"of {name}", shard_bytes=200_000)
        shards[name] = sorted((tmp_path / f"of {name}").rglob("shards-*/*.h5"))
    first = shards["own"][0]
    if damage == "truncated":
        os.truncate(first, first.stat().st_size - 1)
    elif damage == "empty":
        h5py.File(first, "w").close()
    elif damage == "older":
        with h5py.File(first, "r+") as file:
            del file.attrs["collection"], file.attrs["patches"]
    else:
        shutil.copy(shards["other"][0], first)
    assert collection_shards.finished_shards(first.parent) == []
    again = convert(tmp_path, ["own"], tmp_path / "of own", shard_bytes=200_000)
    whole = convert(tmp_path, ["own"], tmp_path / "whole", shard_bytes=200_000)
    assert same(stored(again), stored(whole))


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_memory_follows_the_size_of_a_shard_and_neither_number_nor_smallness_of_patches(
    tmp_path: Path,
) -> None:
    shard = 1 << 20
    peaks = {}
    for number in (128, 512):
        folder = tmp_path / f"set{number}"
        folder.mkdir()
        for patch in range(number):
            np.save(folder / f"vol{patch % 2}_p{patch}.npy", voxels(patch % 8, (16, 16, 16)))
        tracemalloc.start()
        convert(tmp_path, [folder.name], tmp_path / f"out{number}", shard_bytes=shard)
        peaks[number] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[512] < 12 * shard
    assert peaks[512] - peaks[128] < shard


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


@pytest.mark.parametrize(
    ("hostile", "content", "expected"),
    [
        (member("../vol0_p9.nii.gz"), b"x", "is refused as a file name"),
        (member("/etc/vol0_p9.nii.gz"), b"x", "is refused as a file name"),
        (member("vol0_p9.nii.gz", tarfile.SYMTYPE, "/etc/passwd"), b"", "a link or a device"),
        (member("vol0_p9.nii.gz", tarfile.CHRTYPE), b"", "a link or a device"),
        (member("set/cells/vol0_p0.nii.gz"), b"x", "it stands there twice"),
        (member("vol0_p9.nii.gz"), b"no image", "t.tar.gz: vol0_p9.nii.gz: expected"),
        (member("vol_p9.nii.gz"), b"x", "expected a source volume's name"),
    ],
)
def test_hostile_and_broken_members_of_a_tar_are_refused_in_one_line(
    tmp_path: Path, hostile: tarfile.TarInfo, content: bytes, expected: str
) -> None:
    patches(tmp_path / "set", 1)
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "set", arcname="set")
        hostile.size = len(content)
        archive.addfile(hostile, io.BytesIO(content))
    with pytest.raises(InputError) as refused:
        convert(tmp_path, ["t.tar.gz"], tmp_path / "out")
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out" / "c.h5").exists()


def cut_tar(root: Path) -> None:
    tar = packed(root / "set", root / "t.tar.gz")
    tar.write_bytes(tar.read_bytes()[:-2000])


@pytest.mark.parametrize(
    ("make", "places", "settings", "expected"),
    [
        (lambda root: None, ["set::*vessel*"], {}, r"fit '\*vessel\*', found none \(there are: ce"),
        (
            lambda root: None,
            ["nowhere"],
            {},
            "expected a folder or a tar of patches, found nothing",
        ),
        (lambda root: None, ["../set"], {}, "expected a file inside"),
        (cut_tar, ["t.tar.gz"], {}, "t.tar.gz: not a readable archive"),
        (
            lambda root: nifti(root / "set" / "vol0_p9.nii", voxels(0) / 7.3),
            ["set"],
            {},
            "expected whole grey values up to 65535",
        ),
        (
            lambda root: (root / "set" / "vol0_p9.nii").symlink_to("/etc/hostname"),
            ["set"],
            {},
            "expected a file inside",
        ),
    ],
)
def test_what_is_wrong_with_a_collection_is_told_in_one_line(
    tmp_path: Path,
    make: Callable[[Path], None],
    places: list[str],
    settings: dict[str, object],
    expected: str,
) -> None:
    root = tmp_path / "archive"
    patches(root / "set", 2)
    make(root)
    with pytest.raises(InputError, match=expected) as refused:
        convert(root, places, tmp_path / "out", **settings)
    assert "\n" not in str(refused.value)


def test_unreadable_patches_are_left_out_and_recorded_where_that_is_allowed(tmp_path: Path) -> None:
    made = patches(tmp_path / "set", 2)
    (tmp_path / "set" / "cells" / "vol0_p7.nii.gz").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"vol0_p7\.nii\.gz: .*allow 'unreadable-patches'"):
        convert(tmp_path, ["set"], tmp_path / "out")
    file = convert(tmp_path, ["set"], tmp_path / "out", allow=["unreadable-patches"])
    assert same(stored(file), made)
    assert file.file.attrs["left_out"] == 1
