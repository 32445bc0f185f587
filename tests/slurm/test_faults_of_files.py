"""Whatever the file system does, a run ends with a clear error or with the same scores."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from cluster import Cluster, ask, until
from selma3d.system.lease import Owner
from selma3d.system.process_name import ProcessName
from training_run import MODEL, SAVE_EVERY, TrainingRun


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount something over a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def errors(run: TrainingRun) -> list[str]:
    return [line for line in run.log.splitlines() if " error: " in line]


def test_full_disk_is_named_and_training_continues_when_there_is_space(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    disk = run.work.parent
    with mounted(disk, "-t", "tmpfs", "-o", "size=100k", "tmpfs"):
        assert run.ended(run.start("--retries", "0")) != 0
        assert re.search("No space left on device|found a full disk", errors(run)[-1])
        assert not (run.folder / MODEL).exists()
        assert not list(run.results.rglob("*.partial*"))
        remount(disk, "size=100m")
        run.on_slurm()
    survived(
        run,
        "full disk (tmpfs of 100 kB)",
        "ended with one line that names the file; the same command continued once there was space",
    )


@pytest.mark.faults
def test_read_only_results_are_named_and_left_as_they_are(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.results.rglob("*.*")}
    with mounted(run.results, "--bind", str(run.results)):
        remount(run.results, "bind,ro")
        assert run.ended(run.start("--retries", "0")) != 0
        assert "Read-only file system" in run.said
        assert "results/" in run.said
    assert {path: path.stat().st_mtime_ns for path in run.results.rglob("*.*")} == before
    run.on_slurm()
    survived(run, "read-only results", "Snakemake named the file; the same command continued later")


@pytest.mark.faults
def test_corrupted_checkpoint_costs_the_steps_back_to_the_one_before(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start("--retries", "0")
    job = cluster.job(run.folder, "finetune")
    run.until_saved(2 * SAVE_EVERY)
    ask("scancel", job.id)
    assert run.ended(snakemake) != 0
    newest = max(run.work.glob("step-*.pt"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 0xFF
    newest.write_bytes(content)
    run.on_slurm()
    assert f"{newest.name}: unusable, falling back to an older one" in run.log
    survived(
        run,
        "corrupted checkpoint (one byte of the newest)",
        "found by its checksum, set aside; continued from the one before",
    )
    assert 0 < run.spend()[0] <= 2 * SAVE_EVERY


@pytest.mark.faults
def test_input_that_vanishes_is_named_and_read_once_it_is_back(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    patches = run.results / "data/cfos/patches.h5"
    hidden = patches.with_name("hidden")
    with cluster.drained():
        snakemake = run.start()
        cluster.job(run.folder, "finetune", "PENDING")
        patches.rename(hidden)
    until(lambda: "Trying to restart job" in run.said, "the job to fail")
    hidden.rename(patches)
    assert run.ended(snakemake) == 0, run.said[-4000:]
    assert "patches.h5" in run.told
    survived(
        run,
        "input file vanishes from the network file system and comes back",
        "the job failed and named it; the next one read it",
    )


@pytest.mark.faults
def test_clocks_that_differ_by_hours_delay_a_takeover_by_seconds(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    ahead = time.time() + 7200
    run.work.mkdir(parents=True)
    gone = ProcessName("elsewhere", "pid:[1]", pid=1, started="1")
    owner = Owner("gone", gone, role="trainer", job="", since="yesterday")
    (run.work / "lease.json").write_text(json.dumps(asdict(owner)))
    (run.work / "lease.heartbeat").write_text(f"gone {ahead}")
    os.utime(run.work / "lease.heartbeat", (ahead, ahead))
    run.on_slurm()
    assert re.search(
        "taking over from process 1 on elsewhere, .*, which was silent for 40 s", run.log
    )
    assert run.log.count("expected no other trainer") == 0
    survived(
        run,
        "clock skew: the lease of a dead host lies two hours in the future",
        "the lease was watched for 40 s and taken over; nothing was done twice",
    )
    assert run.planned() == {}
