"""Files and folders are whole or absent, and what killed writers leave goes at the next start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from selma3d.system.atomic import UNTOUCHED_S, publish, publish_folder, remove_leftovers

WRITER = """
import signal, sys
from selma3d.system.atomic import publish, publish_folder
with publish(sys.argv[1]) as file, publish_folder(sys.argv[2]) as folder:
    file.write_text("half"), (folder / "a").write_text("half")
    print("writing", flush=True)
    signal.pause()
"""


@pytest.fixture
def writer(tmp_path: Path, repository: Path):
    """A process in the midst of writing `mask.h5` and the folder `mask.ome.zarr`."""
    command = [sys.executable, "-c", WRITER, tmp_path / "mask.h5", tmp_path / "mask.ome.zarr"]
    path = {"PYTHONPATH": str(repository / "workflow" / "scripts")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | path)
    assert process.stdout.readline() == b"writing\n"
    yield process
    process.kill()
    process.wait()


def clear(folder: Path) -> list[str]:
    """What is left after clearing for both outputs."""
    for name in ("mask.h5", "mask.ome.zarr"):
        remove_leftovers(folder / name)
    return sorted(path.name for path in folder.iterdir())


def test_leftovers_of_a_killed_writer_go_and_those_of_a_living_one_stay(
    tmp_path: Path, writer: subprocess.Popen
) -> None:
    (tmp_path / "mask.2.h5").touch()
    assert len(clear(tmp_path)) == 3
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert clear(tmp_path) == ["mask.2.h5"]


def test_leftovers_of_other_machines_go_when_nobody_has_touched_them_for_a_day(
    tmp_path: Path,
) -> None:
    other = tmp_path / ".mask.some.other-host.4711.partial.h5"
    other.touch()
    assert clear(tmp_path) == [other.name]
    long_ago = time.time() - UNTOUCHED_S - 60
    os.utime(other, (long_ago, long_ago))
    assert clear(tmp_path) == []


def test_names_that_only_resemble_leftovers_stay(tmp_path: Path) -> None:
    names = [".mask.h5", ".mask2.host.1.partial.h5", ".mask.host.partial.h5", "mask.h5"]
    for name in names:
        (tmp_path / name).touch()
    assert clear(tmp_path) == sorted(names)


def test_an_error_leaves_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "mask.h5").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), publish(tmp_path / "mask.h5") as file:
        file.write_text(f"half {1 / 0}")
    with pytest.raises(ZeroDivisionError), publish_folder(tmp_path / "folder") as folder:
        (folder / "a").write_text("new")
        (folder / "b").write_text(f"half {1 / 0}")
    assert (tmp_path / "mask.h5").read_text() == "old"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "mask.h5"]


def test_a_whole_folder_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with publish_folder(tmp_path / "deep" / "folder") as folder:
            (folder / name).touch()
    assert [path.name for path in (tmp_path / "deep" / "folder").iterdir()] == ["b"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["folder"]
