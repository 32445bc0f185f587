"""Snakemake as a SLURM job: it outlives the time limit of its job, and ends when it is told to."""

from __future__ import annotations

import re
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


def submissions(run: TrainingRun, rule: str) -> int:
    """How often a job of a rule was submitted, over all lives of the run."""
    return len(
        re.findall(rf"has been submitted with SLURM jobid \d+ \(log: .*rule_{rule}", run.said)
    )


@pytest.mark.faults
def test_a_run_whose_head_job_is_killed_twice_at_work_does_no_step_twice(
    cluster: Cluster, run: TrainingRun, undisturbed: TrainingRun, note
) -> None:
    log = submitted(run, minutes=60, target=SCORES)
    cluster.job(run.folder, "finetune")
    run.until_saved()
    first = head(cluster)
    with cluster.failed_node(first.node):
        until(lambda: cluster.detail(first, "Restarts") == "1", "the head job to be requeued")
    until(lambda: "taking over from process" in log.read_text(), "the head job to start again")
    cluster.job(run.folder, "predict_spot_like")  # its second life has a model, and works with it
    assert head(cluster).id == first.id
    cluster.kill_processes(first)  # scancel with --signal=KILL tells them to end first
    until(lambda: head(cluster) is None, "the killed head job to end")
    assert not (run.folder / SCORES).exists()
    submitted(run, minutes=60, target=SCORES)
    until(lambda: head(cluster) is None, "the run to end", seconds=900)
    assert (run.folder / SCORES).exists(), log.read_text()[-4000:]
    identical = run.scores() == undisturbed.scores()
    again, seconds = run.spend()
    note(
        "the job that runs Snakemake is killed twice at work: with its node, then by SIGKILL",
        "requeued by SLURM, then submitted again; its jobs had gone on",
        "identical" if identical else "DIFFERENT",
        again,
        seconds,
    )
    assert identical
    assert again == 0
    assert submissions(run, "finetune") <= 2  # a second one waits for the first, takes its model
    assert submissions(run, "predict_spot_like") <= 2
    assert submissions(run, "score") == 1
