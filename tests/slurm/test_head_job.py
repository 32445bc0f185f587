"""Snakemake as a SLURM job: it outlives the time limit of its job, and ends when it is told to."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from cluster import Cluster, Job, ask, until
from on_slurm import submit
from training_run import CONFIG, IMPATIENT, MODEL, PARTITIONS, ROOT, SCORES, TrainingRun


def submitted(run: TrainingRun, minutes: int, target: str = MODEL) -> Path:
    """Submit the run as a job of so many minutes; its log."""
    given = run.folder / "given.yaml"
    given.write_text(yaml.safe_dump({"results": str(run.results), **CONFIG, **run.config}))
    layers = [*(str(ROOT / layer) for layer in run.layers), str(given)]
    options = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(run.folder), *IMPATIENT]
    arguments = ["--minutes", str(minutes), "--configfile", *layers, *options, *PARTITIONS]
    assert submit.main([*arguments, "--", str(run.folder / target)]) == 0
    return run.results / "logs" / "submit.log"


def head(cluster: Cluster) -> Job | None:
    """The job that runs Snakemake."""
    named = ask("squeue", "--noheader", f"--name={submit.NAME}", "--format=%i").split()
    return next((job for job in cluster.jobs() if job.id in named), None)


@pytest.mark.faults
def test_a_head_job_whose_time_is_up_continues_its_run(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    log = submitted(run, minutes=3)  # told at once, or within a minute
    until(
        lambda: log.exists() and "it is requeued, and continues" in log.read_text(),
        "the end of its time",
    )
    until(lambda: head(cluster) is None, "the run to end", seconds=900)
    assert (run.folder / MODEL).exists(), log.read_text()[-4000:]
    survived(
        run,
        "the job that runs Snakemake reaches its time limit (make submit)",
        "requeued under its number; took the dead run over, its jobs had gone on",
    )


@pytest.mark.faults
def test_an_interrupted_head_job_cancels_its_jobs_and_ends(
    cluster: Cluster, run: TrainingRun
) -> None:
    submitted(run, minutes=30)
    cluster.job(run.folder, "finetune")
    run.until_saved()
    job = until(lambda: head(cluster), "the head job")
    ask("scancel", "--signal=INT", "--batch", job.id)
    until(lambda: not cluster.jobs(), "all jobs to end")
    assert run.finish().returncode == 0


@pytest.mark.faults
def test_a_challenge_whose_head_job_is_killed_twice_has_the_score_tables_of_this_machine(
    cluster: Cluster, undisturbed: TrainingRun, tmp_path: Path, note
) -> None:
    run, began = TrainingRun(tmp_path / "chain"), time.monotonic()
    run.folder.mkdir()
    run.config["resources"] = CONFIG["resources"] | {"scratch": "$TMPDIR"}
    submitted(run, minutes=60, target=SCORES)
    cluster.job(run.folder, "pretrain")
    first = head(cluster)
    with cluster.failed_node(first.node):
        until(lambda: head(cluster).node not in ("", first.node), "the head job on the other node")
        assert head(cluster).id == first.id
        run.until_saved()
        ask("scancel", "--signal=KILL", "--full", first.id)
        until(lambda: head(cluster) is None, "the killed head job to end")
    assert not (run.folder / SCORES).exists()
    log = submitted(run, minutes=60, target=SCORES)
    until(lambda: head(cluster) is None, "the run to end", seconds=900)
    assert (run.folder / SCORES).exists(), log.read_text()[-4000:]
    pretraining = (run.results / "logs/pretrain/unet/spot-like/masked-s0.log").read_text()
    assert ".h5: read from a copy in" in pretraining
    identical = run.scores() == undisturbed.scores()
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    small = sum(path.stat().st_size < 100_000 for path in files)
    jobs = len(list(run.folder.glob(".snakemake/slurm_logs/**/*.log")))
    note(
        "a challenge from nothing, its head job killed twice: by its node, then with SIGKILL",
        f"requeued on the other node, then submitted again; {jobs} jobs, "
        f"{time.monotonic() - began:.0f} s, {len(files)} files, {small} of them below 100 kB",
        "identical" if identical else "DIFFERENT",
        *run.spend(),
    )
    assert identical
