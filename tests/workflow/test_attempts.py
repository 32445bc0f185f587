"""New attempts at a job differ by how the one before ended: table of failures."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import attempts
import job as job_frame
from selma3d.system.errors import BusyError, FullDiskError, GpuMemoryError, InputError
from selma3d.system.job_state import AT_WORK, FAILED, NOT_FINISHED, JobState, file_of
from selma3d.system.process_name import ProcessName
from selma3d.system.stop import Unfinished


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A SLURM that tells a state of job 7, and requeues nothing."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def says(state: str) -> None:
        script = f"""#!/bin/sh
[ "$1" = requeue ] && {{ echo "$2" >>{tmp_path}/requeued; exit 1; }}
echo "JobId=7 JobName=x JobState={state} Reason=None"
"""
        (tmp_path / "scontrol").write_text(script)
        (tmp_path / "scontrol").chmod(0o755)

    return says


def ended(end: str, reason: str = "", mem_mb: int = 4000) -> JobState:
    process = ProcessName("elsewhere", "pid:[1]", 1, "1")
    return JobState(process, 0.0, end=end, reason=reason, mem_mb=mem_mb, slurm_job="7")


@pytest.mark.parametrize(
    ("end", "reason", "slurm_says", "asked"),
    [
        (FAILED, "input", "FAILED", (1000, 0, 10)),
        (FAILED, "GPU memory", "FAILED", (1000, 0, 10)),
        (FAILED, "disk", "FAILED", (1000, 0, 10)),
        (FAILED, "memory", "FAILED", (8000, 1, 60)),
        (FAILED, "", "OUT_OF_MEMORY", (8000, 1, 60)),  # a process within it was killed
        (FAILED, "", "FAILED", (4000, 1, 60)),
        (FAILED, "time", "TIMEOUT", (4000, 1, 60)),
        (NOT_FINISHED, "", "CANCELLED", (4000, 1, 60)),
        (AT_WORK, "", "OUT_OF_MEMORY", (8000, 1, 60)),
        (AT_WORK, "", "FAILED", (8000, 1, 60)),  # killed without a word
        (AT_WORK, "", "TIMEOUT", (4000, 1, 60)),
        (AT_WORK, "", "NODE_FAIL", (4000, 1, 60)),
        (AT_WORK, "", "", (8000, 1, 60)),
    ],
)
def test_memory_doubles_only_for_want_of_it_and_the_hopeless_wait_for_no_gpu(
    slurm, end, reason, slurm_says, asked
):
    slurm(slurm_says)
    before = ended(end, reason)
    found = (
        attempts.memory_mb(4000, 2, before),
        attempts.gpus(1, 2, before),
        attempts.minutes(60, 2, before),
    )
    assert found == asked


def test_memory_that_helped_stays_and_grows_fourfold_at_most(slurm):
    slurm("CANCELLED")
    assert [attempts.memory_mb(4000, n, None) for n in (1, 2, 3, 4)] == [4000, 8000, 16000, 16000]
    assert attempts.memory_mb(4000, 2, ended(NOT_FINISHED, mem_mb=8000)) == 8000
    slurm("OUT_OF_MEMORY")
    assert attempts.memory_mb(4000, 2, ended(AT_WORK, mem_mb=16000)) == 16000


@pytest.fixture
def given(tmp_path: Path) -> SimpleNamespace:
    """What Snakemake gives to a script."""
    present = tmp_path / "input.h5"
    present.touch()
    return SimpleNamespace(
        log=[str(tmp_path / "score.log")], input=[str(present)], output=[str(tmp_path / "out")],
        config={}, threads=1, rule="score", resources={"mem_mb": 4000, "runtime": 60},
    )  # fmt: skip


def end_by(given: SimpleNamespace, error: BaseException) -> JobState:
    """The state that a job leaves which ends by an error."""
    with pytest.raises((SystemExit, RuntimeError)), job_frame.running(given):
        raise error
    return JobState.read(file_of(given.log[0]))


@pytest.mark.parametrize(
    ("error", "reason", "hopeless"),
    [
        (InputError("a.h5: expected masks, found none"), "input", True),
        (GpuMemoryError("GPU out of memory"), "GPU memory", True),
        (FullDiskError("a.h5: full"), "disk", True),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "a.h5"), "disk", True),
        (OSError(errno.EIO, "Input/output error", "a.h5"), "", False),
        (MemoryError("Unable to allocate 3 GiB"), "memory", False),
        (BusyError("work: expected no other trainer"), "", False),
        (RuntimeError("CUDA error"), "", False),
    ],
)
def test_a_job_tells_why_it_failed(given, error, reason, hopeless):
    state = end_by(given, error)
    assert (state.end, state.reason, state.hopeless) == (FAILED, reason, hopeless)
    assert state.mem_mb == 4000
    assert "\n" not in state.error


def test_bad_input_whose_file_is_gone_is_tried_again(given):
    Path(given.input[0]).unlink()
    assert not end_by(given, InputError("input.h5: expected a file, found none")).hopeless


def test_a_training_that_cannot_do_a_step_within_its_time_ends(given, monkeypatch, slurm, tmp_path):
    slurm("RUNNING")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    assert end_by(given, Unfinished(50, 400)).end == NOT_FINISHED
    assert (tmp_path / "requeued").read_text() == "7\n"
    assert end_by(given, Unfinished(90, 400)).end == NOT_FINISHED
    state = end_by(given, Unfinished(90, 400))
    assert state.hopeless and "set-resources: {score: {runtime: minutes}}" in state.error
    assert (tmp_path / "requeued").read_text() == "7\n7\n"


def test_a_batch_script_in_which_snakemake_runs_is_not_requeued(
    given, monkeypatch, slurm, tmp_path
):
    slurm("RUNNING")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("SLURM_STEP_ID", raising=False)
    end_by(given, Unfinished(50, 400))
    assert not (tmp_path / "requeued").exists()


JOB = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
import job
import slurm_job
from selma3d.system.atomic import publish

slurm_job.ENDING_S = 0.1
log, minutes = sys.argv[1], int(sys.argv[2])
given = {"input": [], "output": [], "config": {}, "threads": 1, "rule": "score"}
resources = {"runtime": minutes}
with job.running(SimpleNamespace(log=[log], resources=resources, **given)):
    with publish(Path(log).with_name("scores.tsv")) as partial:
        partial.write_text("half of it")
        print("at work", flush=True)
        time.sleep(600)
"""


@pytest.mark.parametrize(("minutes", "end"), [(2, FAILED), (240, NOT_FINISHED)])
def test_a_job_that_slurm_ends_leaves_nothing_half_written_and_tells_whether_its_time_was_up(
    tmp_path, minutes, end
):
    log = tmp_path / "score.log"
    scripts = str(Path(job_frame.__file__).parent)
    environment = {"PYTHONPATH": scripts, "SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0"}
    command = [sys.executable, "-c", JOB, str(log), str(minutes)]
    with subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout.readline() == "at work\n"
        started.send_signal(signal.SIGTERM)
        assert started.wait(60) == job_frame.SAVED_EXIT
    state = JobState.read(file_of(log))
    assert state.end == end
    assert ("time limit of 2 minutes" in state.error) == (end == FAILED)
    assert {path.name for path in tmp_path.iterdir()} == {"score.log", "score.log.json"}
