"""Whatever the file system does, a run ends with a clear error or with the same scores."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import asdict

import pytest

from cluster import Cluster, ask, until
from mounts import mounted, remount
from selma3d.system.lease import Owner
from selma3d.system.process_name import ProcessName
from training_run import SAVE_EVERY, TrainingRun


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
