"""A full disk is one clear line; nothing that is finished is lost, nothing with holes appears."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from selma3d.images import PatchWriter, PredictionWriter, SegmentationFile
from selma3d.inference import WindowSettings, load_model, predict_cases, segment_volume
from selma3d.system.errors import FullDiskError, InputError
from selma3d.system.job_state import JobState, file_of
from small_models import noise, write_model, write_noise

ROOM = 600  # kB of the small disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room, in memory; only root may make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}k", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs root and leave to mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_predictions_on_a_full_disk_are_absent_and_the_disk_is_named(
    tmp_path: Path, small_disk: Path
) -> None:
    model = load_model(write_model(tmp_path / "model.pt"), threads=1)
    with PatchWriter(tmp_path / "cases.h5", tmp_path / "cases.tsv", "cases") as writer:
        for case in range(6):
            writer.add(f"{case}", noise((48, 48, 48), case)[None], None)
    names = {"structure": "spots", "method": "unet", "run": "scratch-nall-f0-s0"}
    with pytest.raises(InputError, match=r"out.h5: expected room to write, found a full disk"):
        predict_cases(
            model, tmp_path / "cases.h5", small_disk / "out.h5",
            settings=WindowSettings(overlap=0, batch=27, probability=True), **names,
        )  # fmt: skip
    assert list(small_disk.iterdir()) == []


def test_a_volume_goes_on_where_the_disk_was_full(tmp_path: Path, small_disk: Path) -> None:
    model = load_model(write_model(tmp_path / "model.pt", window=(32, 32, 32)), threads=1)
    volume = write_noise(tmp_path, (64, 64, 256))
    settings = WindowSettings(block=64, overlap=0, batch=8, probability=True)
    arguments = {"structure": "spots", "settings": settings}
    expected = tmp_path / "expected.h5"
    segment_volume(model, volume, expected, work=tmp_path / "work", **arguments)
    output, work = tmp_path / "out.h5", small_disk / "work"
    with pytest.raises(InputError, match="found a full disk"):
        segment_volume(model, volume, output, work=work, **arguments)
    assert not output.exists()
    finished = len([f for f in work.rglob("*.h5") if not f.name.startswith(".")])
    assert 0 < finished < 4
    larger = ["mount", "-o", "remount,size=64m", str(small_disk)]
    subprocess.run(larger, check=True, capture_output=True)
    tally = segment_volume(model, volume, output, work=work, **arguments)
    assert tally.blocks == 4 - finished
    with SegmentationFile(output) as found, SegmentationFile(expected) as wanted:
        np.testing.assert_array_equal(found.mask[()], wanted.mask[()])
        np.testing.assert_array_equal(found.probability[()], wanted.probability[()])


def write_too_much(folder: str) -> None:
    """Write more than a file may hold; the limit stands for a disk without room."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, 1 << 19))
    random = np.random.default_rng(0)
    try:
        with PredictionWriter(Path(folder) / "out.h5", "unet", "spots", "default") as writer:
            for case in range(8):
                probability = random.random((64, 64, 64))
                writer.add(f"{case}", probability > 0.5, probability)
    except FullDiskError as error:
        print(f"caught: {error}")


def test_a_failed_write_is_an_error_and_no_crash(tmp_path: Path, repository: Path) -> None:
    code = f"import test_full_disk; test_full_disk.write_too_much({str(tmp_path)!r})"
    folders = [
        repository / folder for folder in ("workflow/scripts", "tests/system", "tests/inference")
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("caught: ")
    assert "out.h5: expected room to write, found a full disk or quota" in ran.stdout
    assert "Exception ignored" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


JOB = """
import sys
from pathlib import Path
from types import SimpleNamespace
import job
from selma3d.system.atomic import publish

log, made, megabytes = sys.argv[1:]
given = {"input": [], "config": {}, "threads": 1, "rule": "score", "resources": {}}
with job.running(SimpleNamespace(log=[log], output=[made], **given)), publish(made) as partial:
    with open(partial, "wb", buffering=0) as file:
        for _ in range(int(megabytes)):
            file.write(bytes(1 << 20))
"""


@pytest.mark.parametrize("ended_by", ["disk", "quota"])
def test_a_job_whose_room_runs_out_says_so_in_one_line_and_is_not_tried_again(
    tmp_path: Path, repository: Path, request: pytest.FixtureRequest, ended_by: str
) -> None:
    folder = request.getfixturevalue("small_disk") if ended_by == "disk" else tmp_path
    log, made = folder / "score.log", folder / "scores.tsv"

    def largest() -> None:  # as a quota does, the kernel refuses what is beyond it
        if ended_by == "quota":
            resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM * 1000,) * 2)

    ran = subprocess.run(
        [sys.executable, "-c", JOB, log, made, "2"],
        env=os.environ | {"PYTHONPATH": str(repository / "workflow" / "scripts")},
        preexec_fn=largest, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert f"error: {made}: expected room to write, found a full disk or quota" in line
    state = JobState.read(file_of(log))
    assert (state.end, state.reason) == ("failed", "disk")
    assert state.hopeless and line.endswith(state.error)
    assert {path.name for path in folder.iterdir()} == {"score.log", "score.log.json"}
