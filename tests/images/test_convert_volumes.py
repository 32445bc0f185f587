"""TIFF planes -> one HDF5 volume, slab by slab."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile

from selma3d.images import Intensity, VolumeFile, block_statistics, read_index, write_volume
from selma3d.images.conversion import slabs, volume_conversion
from selma3d.images.conversion.plane_removal import remove_converted_planes
from selma3d.images.conversion.volume_conversion import VolumeSettings, convert_volume
from selma3d.system.errors import InputError

WHOLE = (slice(None),) * 3


@pytest.fixture
def grey() -> np.ndarray:
    """(Z,Y,X), three slabs, the last one of six planes."""
    return np.random.default_rng(0).integers(0, 65536, (134, 40, 70)).astype(np.uint16)


def write_planes(folder: Path, grey: np.ndarray, name: str = "z{}.tif", **options) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for z, plane in enumerate(grey):
        tifffile.imwrite(folder / name.format(z), plane, compression="zlib", **options)
    return folder


def convert(out: Path, sources: list[Path], **options) -> VolumeFile:
    settings = {"specimen": "brain1", "sample": "s1", "voxel_size_um": (6.0, 1.6, 1.6)} | options
    chosen = VolumeSettings(
        **{key: settings.pop(key) for key in ("threads", "bad_plane", "allow") if key in settings}
    )
    convert_volume(sources, out / "v.h5", out / "v.tsv", out / "work", settings=chosen, **settings)
    return VolumeFile(out / "v.h5")


def hash_of(out: Path) -> str:
    return read_index(out / "v.tsv")["sha256"].iloc[0]


def test_volume_equals_its_planes_in_natural_order(tmp_path, grey):
    volume = convert(tmp_path, [write_planes(tmp_path / "C00", grey)])
    np.testing.assert_array_equal(volume.read(0, WHOLE), grey)
    assert volume.specimen == "brain1"
    assert volume.voxel_size_um == (6.0, 1.6, 1.6)
    assert read_index(tmp_path / "v.tsv")["shape"].tolist() == ["1,134,40,70"]


def test_one_pass_gives_the_constants_of_the_whole_image(tmp_path, grey):
    volume = convert(tmp_path, [write_planes(tmp_path / "C00", grey)])
    assert volume.intensity(0) == Intensity.of(grey)
    statistics, _ = block_statistics(grey)
    np.testing.assert_array_equal(volume.occupancy(0), statistics[..., 0])
    np.testing.assert_array_equal(volume.bright(0), statistics[..., 1])


def test_slabs_and_threads_leave_no_trace(tmp_path, grey):
    channels = np.stack([grey, grey[::-1] // 2])
    folders = [write_planes(tmp_path / f"C0{c}", channel) for c, channel in enumerate(channels)]
    for threads in (1, 4):
        out = tmp_path / f"{threads}"
        convert(out, folders, threads=threads)
    write_volume(
        tmp_path / "v.h5",
        tmp_path / "v.tsv",
        channels,
        sample="s1",
        specimen="brain1",
        voxel_size_um=(6.0, 1.6, 1.6),
    )
    expected = (tmp_path / "v.tsv").read_bytes()
    assert (tmp_path / "1/v.tsv").read_bytes() == (tmp_path / "4/v.tsv").read_bytes() == expected
    np.testing.assert_array_equal(VolumeFile(tmp_path / "4/v.h5").read(1, WHOLE), channels[1])


def test_work_folder_is_empty_afterwards(tmp_path, grey):
    convert(tmp_path, [write_planes(tmp_path / "C00", grey)])
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["lock"]


@pytest.mark.parametrize("depth", [2, 64, 65])
def test_shallow_and_exact_depths(tmp_path, grey, depth):
    volume = convert(tmp_path, [write_planes(tmp_path / "C00", grey[:depth])])
    np.testing.assert_array_equal(volume.read(0, WHOLE), grey[:depth])


def test_planes_of_8_bits_stay_so(tmp_path, grey):
    volume = convert(tmp_path, [write_planes(tmp_path / "C00", (grey // 256).astype(np.uint8))])
    assert volume.dtype == np.uint8
    assert volume.intensity(0) == Intensity.of(grey // 256)


def test_floats_that_hold_whole_numbers_become_integers(tmp_path, grey):
    volume = convert(tmp_path, [write_planes(tmp_path / "C00", grey[:8].astype(np.float32))])
    assert volume.dtype == np.uint16
    np.testing.assert_array_equal(volume.read(0, WHOLE), grey[:8])


def test_planes_too_wide_for_memory_go_through_a_mapped_file(tmp_path, grey, monkeypatch):
    monkeypatch.setattr(slabs, "LARGEST_BUFFER", 1000)
    volume = convert(tmp_path, [write_planes(tmp_path / "C00", grey)])
    np.testing.assert_array_equal(volume.read(0, WHOLE), grey)


def test_names_with_dates_and_steps_are_ordered_by_the_number_that_varies(tmp_path, grey):
    folder = tmp_path / "C00"
    folder.mkdir()
    for z in range(12):
        tifffile.imwrite(folder / f"19-05-24_{z * 10}_C00.tif", grey[z])
    volume = convert(tmp_path, [folder], voxel_size_um=(10.0, 1.6, 1.6))
    np.testing.assert_array_equal(volume.read(0, WHOLE), grey[:12])


@pytest.mark.parametrize(
    "options",
    [
        {"photometric": "minisblack"},
        {"photometric": "minisblack", "compression": "zlib"},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"photometric": "minisblack", "bigtiff": True, "byteorder": ">"},
    ],
    ids=["one run of bytes", "compressed pages", "ImageJ", "big endian"],
)
def test_one_large_tiff_converts_like_planes(tmp_path, grey, options):
    tifffile.imwrite(tmp_path / "stack.tif", grey, **options)
    volume = convert(tmp_path, [tmp_path / "stack.tif"])
    np.testing.assert_array_equal(volume.read(0, WHOLE), grey)
    assert volume.intensity(0) == Intensity.of(grey)


@pytest.mark.parametrize("axes", ["CZYX", "ZCYX"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_channels_of_one_tiff_become_channels(tmp_path, grey, axes, compression):
    channels = np.stack([grey[:70], grey[64:134]])
    stored = channels if axes == "CZYX" else channels.swapaxes(0, 1)
    tifffile.imwrite(
        tmp_path / "a.ome.tif", stored, ome=True, compression=compression, metadata={"axes": axes}
    )
    volume = convert(tmp_path, [tmp_path / "a.ome.tif"])
    assert volume.channels == 2
    for channel in range(2):
        np.testing.assert_array_equal(volume.read(channel, WHOLE), channels[channel])


def spoil(plane: Path) -> None:
    """Leave the header whole, but not the compressed voxels."""
    content = bytearray(plane.read_bytes())
    with tifffile.TiffFile(plane) as tiff:
        (offset,), (count,) = tiff.pages[0].dataoffsets, tiff.pages[0].databytecounts
    content[offset : offset + count] = b"\xff" * count
    plane.write_bytes(content)


@pytest.mark.parametrize("damage", [spoil, lambda plane: plane.write_bytes(b"")])
def test_lone_bad_plane_is_interpolated_if_asked_and_recorded(tmp_path, grey, damage, caplog):
    folder = write_planes(tmp_path / "C00", grey)
    damage(folder / "z63.tif")  # its neighbour lies in the next slab
    with pytest.raises(InputError, match=r"z63\.tif"):
        convert(tmp_path, [folder])
    with caplog.at_level(logging.WARNING):
        volume = convert(tmp_path, [folder], bad_plane="interpolate")
    expected = (grey[62].astype(np.uint32) + grey[64]) // 2
    np.testing.assert_array_equal(volume.read(0, WHOLE)[63], expected)
    (record,) = json.loads(volume.file.attrs["interpolated_planes"])
    assert record["z"] == 63
    assert record["plane"].endswith("z63.tif")
    assert "plane 63 interpolated" in caplog.text


def test_changed_planes_void_the_slabs(tmp_path, grey):
    folder = write_planes(tmp_path / "C00", grey)
    spoil(folder / "z133.tif")
    with pytest.raises(InputError):
        convert(tmp_path, [folder])
    write_planes(folder, grey[::-1])
    np.testing.assert_array_equal(convert(tmp_path, [folder]).read(0, WHOLE), grey[::-1])


def test_finished_slabs_are_kept_after_an_error(tmp_path, grey, caplog):
    folder = write_planes(tmp_path / "C00", grey)
    identity = (folder / "z133.tif").stat()
    whole = (folder / "z133.tif").read_bytes()
    spoil(folder / "z133.tif")
    os.utime(folder / "z133.tif", ns=(identity.st_atime_ns, identity.st_mtime_ns))
    with pytest.raises(InputError):
        convert(tmp_path, [folder])
    (folder / "z133.tif").write_bytes(whole)
    os.utime(folder / "z133.tif", ns=(identity.st_atime_ns, identity.st_mtime_ns))
    with caplog.at_level(logging.INFO):
        convert(tmp_path, [folder])
    assert caplog.text.count("converting slab") == 1


def before_slab(monkeypatch, start: int, act: Callable[[], None]) -> None:
    """Let something happen before the slab that begins at this plane is converted."""
    real = volume_conversion.convert_slab

    def convert_slab(slab, *args, **options) -> None:
        if slab.start == start:
            monkeypatch.undo()
            act()
        real(slab, *args, **options)

    monkeypatch.setattr(volume_conversion, "convert_slab", convert_slab)


def test_slab_that_is_not_whole_is_converted_again(tmp_path, grey, caplog, monkeypatch):
    folder = write_planes(tmp_path / "C00", grey)

    def damage_first_slab() -> None:
        (slab,) = (tmp_path / "work").rglob("c0-z000000.h5")
        slab.write_bytes(slab.read_bytes()[:-100])
        raise KeyboardInterrupt

    before_slab(monkeypatch, 128, damage_first_slab)
    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path, [folder])
    with caplog.at_level(logging.INFO):
        volume = convert(tmp_path, [folder])
    assert "converting slab c0-z000000" in caplog.text
    assert "converting slab c0-z000064" not in caplog.text
    np.testing.assert_array_equal(volume.read(0, WHOLE), grey)


def test_a_second_conversion_in_the_same_work_folder_is_refused(tmp_path, grey, monkeypatch):
    folder = write_planes(tmp_path / "C00", grey)

    def convert_again() -> None:
        with pytest.raises(InputError, match="found one at work"):
            convert(tmp_path, [folder])

    before_slab(monkeypatch, 64, convert_again)
    convert(tmp_path, [folder])


def test_progress_counts_slabs(tmp_path, grey, caplog):
    with caplog.at_level(logging.INFO):
        convert(tmp_path, [write_planes(tmp_path / "C00", grey)])
    assert [caplog.text.count(f"{done} of 3 slabs") for done in (1, 2, 3)] == [1, 1, 1]


def test_conversion_killed_ten_times_gives_the_same_content(tmp_path):
    grey = np.random.default_rng(0).integers(0, 900, (640, 256, 256), dtype=np.uint16)
    stack = tmp_path / "stack.tif"
    tifffile.imwrite(stack, grey, photometric="minisblack")
    convert(tmp_path / "undisturbed", [stack])
    rng = np.random.default_rng(1)
    kills, finished, log = 0, 0, tmp_path / "slabs.log"
    outputs = [tmp_path / "v.h5", tmp_path / "v.tsv"]
    while kills < 10 or not outputs[1].exists():
        for output in outputs:
            output.unlink(missing_ok=True)
        run = multiprocessing.get_context("fork").Process(
            target=_convert_logging, args=(tmp_path, stack, log)
        )
        run.start()
        run.join(rng.uniform(0.05, 0.4) if kills < 10 else None)
        if run.is_alive():
            os.kill(run.pid, signal.SIGKILL)
            kills += 1
        run.join()
        if outputs[1].exists():
            finished += 1
            assert hash_of(tmp_path) == hash_of(tmp_path / "undisturbed")
    np.testing.assert_array_equal(VolumeFile(outputs[0]).read(0, WHOLE), grey)
    converted = len(log.read_text().splitlines())
    assert converted <= 10 * finished + kills
    assert not list(tmp_path.glob(".*.partial*"))


@pytest.mark.parametrize("damage", ["truncated", "of another volume", "of another place", "older"])
def test_a_slab_that_is_not_whole_or_another_one_s_is_converted_again(
    tmp_path, monkeypatch, damage
):
    rng = np.random.default_rng(0)
    slabs = {}
    for name in ("own", "other"):
        grey = rng.integers(0, 900, (130, 40, 40), dtype=np.uint16)
        tifffile.imwrite(tmp_path / f"{name}.tif", grey, photometric="minisblack")
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(volume_conversion, "_assemble", _killed)
            convert(tmp_path / name, [tmp_path / f"{name}.tif"])
        slabs[name] = sorted((tmp_path / name).rglob("slabs-*/*.h5"))
        assert len(slabs[name]) == 3
    first, second, _ = slabs["own"]
    if damage == "truncated":
        os.truncate(first, first.stat().st_size - 1)
    elif damage == "older":
        with h5py.File(first, "r+") as file:
            del file.attrs["slab"]
    else:
        shutil.copy(slabs["other"][0] if damage == "of another volume" else second, first)
    kept = [slab.stat().st_mtime_ns for slab in slabs["own"][1:]]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(volume_conversion, "_assemble", _killed)
        convert(tmp_path / "own", [tmp_path / "own.tif"])
    assert [slab.stat().st_mtime_ns for slab in slabs["own"][1:]] == kept
    convert(tmp_path / "own", [tmp_path / "own.tif"])
    convert(tmp_path / "undisturbed", [tmp_path / "own.tif"])
    own, undisturbed = ((tmp_path / name / "v.h5") for name in ("own", "undisturbed"))
    assert own.read_bytes() == undisturbed.read_bytes()


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def _convert_logging(out: Path, source: Path, log: Path) -> None:
    handler = logging.FileHandler(log)
    handler.addFilter(lambda record: "converting slab" in record.getMessage())
    logger = logging.getLogger("selma3d.images.conversion.volume_conversion")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    convert(out, [source], threads=1)


def test_planes_are_removed_only_once_the_volume_reads_back_whole(tmp_path, grey):
    folder = write_planes(tmp_path / "C00", grey)
    (folder / "notes.txt").write_text("kept")
    volume = convert(tmp_path, [folder])
    remove_converted_planes([folder], volume.path, tmp_path / "v.tsv", tmp_path / "removed.tsv")
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert len(pd.read_csv(tmp_path / "removed.tsv", sep="\t")) == 134
    np.testing.assert_array_equal(volume.read(0, WHOLE), grey)


def test_no_plane_is_removed_for_a_volume_of_other_content(tmp_path, grey):
    folder = write_planes(tmp_path / "C00", grey)
    convert(tmp_path, [folder])
    files = sorted(folder.iterdir())
    index = (tmp_path / "v.tsv").read_text()
    (tmp_path / "v.tsv").write_text(index.replace(hash_of(tmp_path), "0" * 64))
    with pytest.raises(InputError, match="sha256"):
        remove_converted_planes([folder], tmp_path / "v.h5", tmp_path / "v.tsv", tmp_path / "r.tsv")
    (tmp_path / "v.tsv").write_text(index)
    tifffile.imwrite(folder / "z5.tif", grey[0])
    with pytest.raises(InputError, match="conversion of the planes as they are now"):
        remove_converted_planes([folder], tmp_path / "v.h5", tmp_path / "v.tsv", tmp_path / "r.tsv")
    assert sorted(folder.iterdir()) == files


# Planes that are not all there, and folders whose numbers do not fit


def described(folder: Path, grey: np.ndarray, planned: int, numbers: Sequence[int]) -> Path:
    """Planes with OME metadata, as a microscope that planned so many writes them."""
    folder.mkdir(parents=True)
    size = f'SizeX="{grey.shape[2]}" SizeY="{grey.shape[1]}" SizeZ="{planned}"'
    text = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2008-02">'
        f'<Image ID="Image:0"><Pixels ID="P" DimensionOrder="XYZTC" PixelType="uint16" {size} '
        'SizeC="1" SizeT="1"></Pixels></Image></OME>'
    )
    for number in numbers:
        plane = grey[number % len(grey)]
        path = folder / f"10-11-12_brain 3_C00_Z{number:04d}.ome.tif"
        tifffile.imwrite(path, plane, description=text, metadata=None)
    return folder


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        (range(8), "found 8, 0 to 7 in steps of 1"),
        (range(2, 12), "found 10, 2 to 11 in steps of 1"),
        (range(0, 12, 2), "found 6, 0 to 10 in steps of 2"),
        ((0, 11), "found 2, 0 to 11 in steps of 11"),
        (range(14), "found 14, 0 to 13 in steps of 1"),
    ],
)
def test_a_stack_of_another_depth_than_planned_is_refused(tmp_path, grey, numbers, found):
    folder = described(tmp_path / "C00", grey, 12, numbers)
    with pytest.raises(InputError, match=f"expected 12 planes as their metadata state .*{found}"):
        convert(tmp_path, [folder])
    volume = convert(tmp_path, [folder], allow=["missing-planes"])
    assert volume.shape[0] == len(numbers)


def test_a_whole_stack_is_accepted_and_its_numbers_are_recorded(tmp_path, grey):
    volume = convert(tmp_path, [described(tmp_path / "C00", grey, 12, range(12))])
    assert json.loads(volume.file.attrs["source"])["plane_numbers"] == ["0 to 11 in steps of 1"]


def test_a_step_that_is_the_distance_of_planes_is_told_and_recorded(tmp_path, grey, caplog):
    folder = write_planes(tmp_path / "a", grey[:6])
    for z in reversed(range(6)):
        (folder / f"z{z}.tif").rename(folder / f"z{5 * z + 10}.tif")
    volume = convert(tmp_path, [folder], voxel_size_um=(5.0, 1.6, 1.6))
    assert "planes 10 to 35 in steps of 5" in caplog.text
    assert json.loads(volume.file.attrs["source"])["plane_numbers"] == ["10 to 35 in steps of 5"]


@pytest.mark.parametrize("pair", [(2, 3), (60, 130)])
def test_a_plane_in_place_of_another_is_refused_and_empty_ones_are_not(
    tmp_path, grey, caplog, pair
):
    grey[[0, 1, 133]] = 0
    grey[pair[1]] = grey[pair[0]]
    folder = write_planes(tmp_path / "C00", grey)
    message = (
        rf"z{pair[1]}\.tif: expected a plane of its own, found the voxels of .*z{pair[0]}\.tif"
    )
    with pytest.raises(InputError, match=message):
        convert(tmp_path, [folder])
    assert not (tmp_path / "v.h5").exists()
    volume = convert(tmp_path, [folder], allow=["missing-planes"])
    np.testing.assert_array_equal(volume.read(0, WHOLE), grey)
    assert "expected a plane of its own" in caplog.text


@pytest.mark.parametrize("lay", ["folders", "one file", "copied folder"])
def test_a_channel_in_place_of_another_is_refused_and_empty_ones_are_not(
    tmp_path, grey, caplog, lay
):
    planes, empty = grey[:6], np.zeros_like(grey[:6])
    for content, is_refused in ((planes, True), (empty, False)):
        folder = tmp_path / str(is_refused)
        sources = [write_planes(folder / "C00", content)]
        if lay == "one file":
            sources = [folder / "both.tif"]
            both = np.stack([content, content])
            tifffile.imwrite(sources[0], both, photometric="minisblack", metadata={"axes": "CZYX"})
        elif lay == "folders":
            sources.append(write_planes(folder / "C01", content, "plane {}.tif"))
        else:
            sources.append(shutil.copytree(sources[0], folder / "C01"))
        if is_refused:
            with pytest.raises(InputError, match=r"expected a channel of its own, found the voxel"):
                convert(folder, sources)
            assert not (folder / "v.h5").exists()
        assert convert(folder, sources, allow=["missing-planes"] * is_refused).channels == 2
    assert "expected a channel of its own" in caplog.text


@pytest.mark.parametrize("numbers", [range(1, 7), range(0, 12, 2), range(10, 16)])
def test_channels_with_other_plane_numbers_are_refused(tmp_path, grey, numbers):
    first = write_planes(tmp_path / "C00", grey[:6])
    second = tmp_path / "C01"
    second.mkdir()
    for z, number in enumerate(numbers):
        tifffile.imwrite(second / f"z{number}.tif", grey[z])
    with pytest.raises(InputError, match=r"C01: expected planes 0 to 5 .* as in channel .*C00"):
        convert(tmp_path, [first, second])
    assert convert(tmp_path, [first, second], allow=["missing-planes"]).channels == 2


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["z-10", "z-5", "z0", "z5"], [0, 1, 2, 3]),
        (["z2", "z-1", "z1", "z0"], [1, 3, 2, 0]),
        (["slice-2", "slice-1", "slice-3"], [1, 0, 2]),
        (["slice-0", "slice-1", "slice-2"], [0, 1, 2]),
        (["a-0100", "a-0101", "a-0099"], [2, 0, 1]),
        (["10-11-12 b-3 Z2", "10-11-12 b-3 Z1"], [1, 0]),
        (["13-36-04-30002", "13-36-04-30000", "13-36-04-30001"], [1, 2, 0]),
    ],
)
def test_a_minus_is_a_sign_or_a_hyphen(tmp_path, grey, names, order):
    folder = tmp_path / "scan"
    folder.mkdir()
    for z, name in enumerate(names):
        tifffile.imwrite(folder / f"{name}.tif", grey[z])
    volume = convert(tmp_path, [folder], voxel_size_um=(5.0, 1.6, 1.6))
    np.testing.assert_array_equal(volume.read(0, WHOLE), grey[order])


@pytest.mark.parametrize("numbers", [range(5, 65, 5), range(100, 106), range(3, 9)])
def test_a_minus_that_may_be_either_is_refused(tmp_path, grey, numbers):
    folder = tmp_path / "scan"
    folder.mkdir()
    for z, number in enumerate(numbers):
        tifffile.imwrite(folder / f"z-{number}.tif", grey[z])
    with pytest.raises(InputError, match="may be a sign or a hyphen: z-"):
        convert(tmp_path, [folder])


# File systems without locks


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_no_fault(tmp_path, grey, monkeypatch, caplog, code):
    def no_flock(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", no_flock)
    volume = convert(tmp_path, [write_planes(tmp_path / "C00", grey[:4])])
    assert volume.shape[0] == 4
    assert "no file locks here" in caplog.text
