"""The frame of every rule's script: time that is left, processes, leases, the run it belongs to."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

import job as job_frame
from job import RUN_OWNER, processes, retry_if_lease_lost, time_budget_s
from selma3d.challenge import checking
from selma3d.methods.peers import nnunet
from selma3d.system.errors import GpuMemoryError, InputError
from selma3d.system.lease import Lease, LeaseLostError
from selma3d.system.process_name import ProcessName
from slurm_job import queued_s, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0:59", 59),
        ("12:00", 720),
        ("3:00:05", 10805),
        ("2-01:00:00", 176400),
        ("UNLIMITED", None),
        ("", None),
    ],
)
def test_times_of_slurm_in_seconds(text: str, expected: float | None) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("answer", "waited"),
    [
        ("2026-11-29T23:59:00 2026-11-30T00:01:30", 150.0),
        ("2026-11-29T12:00:00 N/A", None),
        ("slurm_load_jobs error: Unable to contact slurm controller", None),
        ("", None),
    ],
)
def test_a_job_knows_how_long_it_has_waited_in_the_queue_where_slurm_tells(
    answer: str, waited: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text(f"#!/bin/sh\necho '{answer}'\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert queued_s() == waited


def job(**resources: object) -> SimpleNamespace:
    return SimpleNamespace(resources=SimpleNamespace(get=resources.get, **resources))


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A SLURM job, and what squeue says of it."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def answers(text: str) -> None:
        (tmp_path / "squeue").write_text(f"#!/bin/sh\necho {text}\n")
        (tmp_path / "squeue").chmod(0o755)

    return answers


def test_a_training_saves_two_minutes_before_the_time_that_slurm_leaves_it(squeue) -> None:
    squeue("1:00:00")
    assert time_budget_s(job(runtime=720)) == 3600 - 120


def test_a_short_job_saves_after_half_of_its_time(squeue) -> None:
    squeue("0:50")
    assert time_budget_s(job(runtime=1)) == 25


def test_without_an_answer_the_time_that_was_asked_for_counts(squeue) -> None:
    squeue("INVALID")
    assert time_budget_s(job(runtime=10)) == 480


def test_nobody_limits_the_time_outside_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert time_budget_s(job(runtime=1)) is None


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, 1),
        ({"gpu": 0}, 1),
        ({"gpu": 2}, 2),
        ({"gpu": 0, "gres": "gpu:a100:4"}, 4),
        ({"gpu": 0, "gres": "gpu:2"}, 2),
        ({"gpu": 0, "gres": "gpu"}, 1),
    ],
)
def test_one_process_trains_on_each_gpu(resources: dict, expected: int) -> None:
    assert processes(job(**resources)) == expected


@pytest.mark.parametrize(
    ("resources", "expected"),
    [({"gpu": 0}, False), ({"gpu": 1}, True), ({"gpu": 0, "gres": "gpu:a100:1"}, True)],
)
def test_other_packages_train_on_the_gpu_however_the_site_counts_it(
    resources: dict, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(nnunet, "train", lambda *_, environment, **given: seen.append(environment))
    asked = job(**resources)
    asked.params = SimpleNamespace(sources=[], environment="env", settings={}, work="work")
    asked.wildcards, asked.threads = SimpleNamespace(run="default"), 1
    asked.output = SimpleNamespace(model="model.zip", history="history.tsv")
    script = Path(job_frame.__file__).with_name("nnunet_train.py")
    monkeypatch.setattr(checking, "check", lambda *_: None)
    monkeypatch.setattr(job_frame, "running", lambda _: nullcontext())
    runpy.run_path(str(script), {"snakemake": asked}, run_name="__main__")
    assert [environment.gpu for environment in seen] == [expected]


def test_a_job_that_another_has_taken_over_ends_with_the_others_result(tmp_path: Path) -> None:
    finished = tmp_path / "finished"
    done = []

    def work() -> None:
        with Lease(tmp_path) as lease:
            if finished.exists():
                done.append(finished.read_text())
                return
            (tmp_path / "lease.json").unlink()  # by another, which has finished since
            finished.write_text("by another")
            lease.check()

    retry_if_lease_lost(work)
    assert done == ["by another"]


def test_a_job_whose_work_another_still_does_is_refused_by_name() -> None:
    outcomes = iter([LeaseLostError("taken over"), InputError("expected no other trainer")])

    def work() -> None:
        raise next(outcomes)

    with pytest.raises(InputError, match="no other trainer"):
        retry_if_lease_lost(work)


def test_a_job_that_its_gpu_has_too_little_memory_for_is_not_tried_again(tmp_path: Path) -> None:
    log = tmp_path / "pretrain.log"
    frame = {
        "log": [str(log)],
        "input": [],
        "output": [],
        "config": {},
        "threads": 1,
        "rule": "pretrain",
    }
    tried = []

    def attempt(number: int) -> None:
        given = SimpleNamespace(**frame, resources={"attempt": number})
        with pytest.raises(SystemExit) as ended, job_frame.running(given):
            tried.append(number)
            raise GpuMemoryError("GPU out of memory: batch 8")
        assert ended.value.code == 1

    attempt(1)
    attempt(2)
    assert tried == [1]
    attempt(1)  # typed again by the user
    assert tried == [1, 1]


JOB = """
import signal, sys, time
from types import SimpleNamespace
import job

log, ending = sys.argv[1:]
if ending == "stubborn":
    job.SAVING_S = 0.3
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
frame = {"input": [], "output": [], "resources": {}, "config": {}, "threads": 1, "rule": "finetune"}
with job.running(SimpleNamespace(log=[log], **frame)):
    print("at work", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts jobs, which are at work when it returns."""
    jobs = []

    def start(ending: str = "", **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", JOB, str(tmp_path / f"{len(jobs)}.log"), ending]
        scripts = str(Path(job_frame.__file__).parent)
        environment = os.environ | {"PYTHONPATH": scripts} | environment
        job = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        jobs.append(job)
        assert job.stdout.readline() == "at work\n"
        return job

    yield start
    for job in jobs:
        job.kill()
        job.wait()


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_a_job_ends_with_the_run_that_started_it(started, owner) -> None:
    named = {RUN_OWNER: json.dumps(asdict(ProcessName.of(owner.pid)))}
    orphan, stubborn = started(**named), started("stubborn", **named)
    own = {RUN_OWNER: json.dumps(asdict(ProcessName.own()))}
    others = [started(), started(**own), started(**named, SLURM_JOB_ID="4711")]
    owner.kill()
    owner.wait()
    assert orphan.wait(30) == -signal.SIGTERM
    assert stubborn.wait(30) == -signal.SIGKILL
    assert [other.poll() for other in others] == [None, None, None]


# A Snakemake within a job: at SIGTERM it waits for a lock that it holds, beside an srun that hangs.
DEAF = """
import signal, subprocess, threading
import slurm_job

lock = threading.Lock()
lock.acquire()
signal.signal(signal.SIGTERM, lambda *_: lock.acquire())
slurm_job.end_with_parent(tidying_s=0.2)
srun = ["sh", "-c", "trap : TERM; while true; do sleep 60 & wait $!; done"]
waited = subprocess.Popen(srun)
print(waited.pid, flush=True)
waited.wait()
"""


def batch(folder: Path, **environment: str) -> tuple[subprocess.Popen[str], list[ProcessName]]:
    """A batch script that runs the above; the script, and the two processes below it."""
    (folder / "deaf.py").write_text(DEAF)
    scripts = str(Path(job_frame.__file__).parent)
    outside = {name: value for name, value in os.environ.items() if name != "SLURM_JOB_ID"}
    # Two commands, since a shell becomes the last one.
    script = ["sh", "-c", f"{sys.executable} deaf.py & echo $!; wait $!; true"]
    shell = subprocess.Popen(
        script,
        cwd=folder,
        env=outside | {"PYTHONPATH": scripts} | environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    below = [int(shell.stdout.readline()) for _ in range(2)]
    return shell, [ProcessName.of(pid) for pid in below]


def test_a_snakemake_within_a_job_ends_with_the_batch_script_although_it_heeds_no_signal(
    tmp_path: Path,
) -> None:
    ended, ended_below = batch(tmp_path, SLURM_JOB_ID="4711")
    alive, alive_below = batch(tmp_path, SLURM_JOB_ID="4711")
    elsewhere, elsewhere_below = batch(tmp_path)
    try:
        for shell, below in ((ended, ended_below), (elsewhere, elsewhere_below)):
            for process in (shell.pid, *(each.pid for each in below)):
                os.kill(process, signal.SIGTERM)
            assert shell.wait(30) == -signal.SIGTERM
        until_dead(ended_below)
        assert all(each.lives() for each in (*alive_below, *elsewhere_below))
    finally:
        for shell in (alive, elsewhere):
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()


def until_dead(processes: list[ProcessName], seconds: float = 60) -> None:
    """Wait until these have ended."""
    deadline = time.monotonic() + seconds
    while any(each.lives() for each in processes):
        assert time.monotonic() < deadline, processes
        time.sleep(0.05)
