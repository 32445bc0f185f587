"""Links and pipes that somebody has put where this project keeps its own files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from selma3d.images.conversion.plane_removal import remove_converted_planes
from selma3d.methods.peers.programs import run
from selma3d.system.atomic import open_own, publish
from selma3d.system.errors import InputError
from selma3d.system.job_state import JobState
from selma3d.system.lease import HEARTBEAT, RECORD, Lease, Owner


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    (tmp_path / "theirs").write_text("precious")
    yield tmp_path / "theirs"
    assert (tmp_path / "theirs").read_text() == "precious"


@pytest.mark.parametrize("mode", ["w", "a", "r", "r+b", "ab"])
def test_no_link_is_followed(theirs: Path, mode: str) -> None:
    own = theirs.with_name("own")
    own.symlink_to(theirs)
    with pytest.raises(InputError, match="own: expected a file, found a link"):
        open_own(own, mode)


def test_a_heartbeat_follows_no_link(theirs: Path) -> None:
    folder = theirs.with_name("results")
    folder.mkdir()
    (folder / HEARTBEAT).symlink_to(theirs)
    with (
        pytest.raises(InputError, match=f"{HEARTBEAT}: expected a file, found a link"),
        Lease(folder),
    ):
        pass


@pytest.mark.parametrize("plant", [os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_a_record_that_is_no_file_is_not_waited_for(tmp_path: Path, plant) -> None:
    plant(tmp_path / RECORD)
    with pytest.raises(InputError, match="expected a file, found a"):
        Owner.read(tmp_path)
    with pytest.raises(InputError, match="expected a file, found a"):
        JobState.read(tmp_path / RECORD)


def test_a_link_at_a_temporary_name_is_not_written_through(theirs: Path) -> None:
    table = theirs.with_name("table.tsv")
    with publish(table) as temporary:
        name = temporary
        temporary.write_text("first")
    name.symlink_to(theirs)
    with publish(table) as temporary:
        assert temporary == name
        temporary.write_text("second")
    assert table.read_text() == "second"
    with pytest.raises(InputError, match="found a link"), publish(table) as temporary:
        temporary.symlink_to(theirs)
    assert table.read_text() == "second"
    assert not table.is_symlink()


def test_the_log_of_a_run_follows_no_link(theirs: Path, repository: Path) -> None:
    import run as command

    (theirs.with_name("snakemake.log")).symlink_to(theirs)
    with (
        pytest.raises(InputError, match=r"snakemake\.log: expected a file, found a link"),
        command.output_to(theirs.with_name("snakemake.log")),
    ):
        pass


def test_a_programs_log_follows_no_link(theirs: Path) -> None:
    (theirs.with_name("a.log")).symlink_to(theirs)
    with pytest.raises(InputError, match=r"a\.log: expected a file, found a link"):
        run(["true"], program_log=theirs.with_name("a.log"))


@pytest.mark.parametrize("place", ["theirs", "C00/../theirs", "C00/below/z.tif", "C00/notes.txt"])
def test_a_record_of_planes_deletes_planes_of_its_folders_only(
    tmp_path: Path, theirs: Path, place: str
) -> None:
    folder = tmp_path / "C00"
    (folder / "below").mkdir(parents=True)
    for name in ("z0.tif", "below/z.tif", "notes.txt"):
        (folder / name).write_text("x")
    record = tmp_path / "record.tsv"
    record.write_text(f"path\tbytes\n{folder}/z0.tif\t1\n{tmp_path}/{place}\t1\n")
    with pytest.raises(InputError, match="nothing is deleted"):
        remove_converted_planes([folder], tmp_path / "v.h5", tmp_path / "v.tsv", record)
    assert (folder / "z0.tif").exists()
    record.write_text(f"path\tbytes\n{folder}/z0.tif\t1\n")
    remove_converted_planes([folder], tmp_path / "v.h5", tmp_path / "v.tsv", record)
    assert not (folder / "z0.tif").exists()
