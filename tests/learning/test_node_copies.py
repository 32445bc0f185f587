"""Volumes are read from a disk of the node, where there is one with room, with the same windows."""

from __future__ import annotations

import logging
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from selma3d.images import write_volume
from selma3d.learning.sampling import UnlabelledSampler, VolumeSource
from selma3d.learning.training import read_on_node
from selma3d.system.errors import InputError


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.fixture
def small_files() -> Iterator[None]:
    """The kernel refuses to write more than 64 kB into a file, as a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def volume(tmp_path: Path) -> VolumeSource:
    path = tmp_path / "volume.h5"
    noise = np.random.default_rng(0).integers(0, 60000, (1, 64, 64, 64)).astype(np.uint16)
    write_volume(path, path.with_suffix(".tsv"), noise, sample="a")
    return VolumeSource(path, channel=0)


def windows(sources: tuple[VolumeSource, ...]) -> np.ndarray:
    sampler = UnlabelledSampler(sources, (16, 16, 16), seed=0)
    return np.stack([sampler.sample(number)["image"] for number in range(4)])


def test_windows_of_a_copy_are_those_of_the_volume_and_the_copy_goes(
    volume: VolumeSource, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_DISK", str(scratch))
    expected = windows((volume,))
    with read_on_node([volume], "$NODE_DISK") as near:
        (copy,) = scratch.rglob("*.h5")
        volume.path.rename(volume.path.with_name("away.h5"))
        volume.path.touch()
        np.testing.assert_array_equal(windows(near), expected)
        assert near[0].path == volume.path  # what an encoder's record names
        assert copy.parent.stat().st_mode & 0o77 == 0
    assert not list(scratch.iterdir())


def test_a_copy_that_meets_a_quota_is_not_made_and_the_volume_is_read_where_it_lies(
    volume: VolumeSource, scratch: Path, caplog: pytest.LogCaptureFixture, request
) -> None:
    caplog.set_level(logging.INFO)
    expected = windows((volume,))
    request.getfixturevalue("small_files")
    with read_on_node([volume], str(scratch)) as near:
        assert not list(scratch.rglob("*.h5"))
        np.testing.assert_array_equal(windows(near), expected)
    (line,) = caplog.messages
    assert line.startswith(f"{volume.path}: read where it lies: ")
    assert not list(scratch.iterdir())


def test_what_a_killed_job_has_left_goes_and_another_s_stays(
    volume: VolumeSource, scratch: Path
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = [scratch / f".selma3d.{host}.{dead.pid}.partial" for host in (socket.gethostname(), "b")]
    for folder in left:
        folder.mkdir()
        (folder / "0.h5").touch()
    with read_on_node([volume], str(scratch)):
        assert not left[0].exists()
    assert list(scratch.iterdir()) == [left[1]]


def test_a_folder_that_the_node_lacks_is_named(volume: VolumeSource) -> None:
    expected = r"resources.scratch: \$NO_SUCH/x: expected a folder of .*, found none at "
    with pytest.raises(InputError, match=expected), read_on_node([volume], "$NO_SUCH/x"):
        pass
