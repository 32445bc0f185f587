"""Whatever SLURM does to a training, the scores come out as if nothing had happened."""

from __future__ import annotations

import time

import pytest

from cluster import FOLDER, Cluster, ask, until
from training_run import CONFIG, SAVE_EVERY, TrainingRun


@pytest.mark.faults
def test_preempted_training_is_requeued_and_repeats_no_step(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start("--default-resources", "slurm_partition=gpu_low", "mem_mb=2000")
    job = cluster.job(run.folder, "finetune")
    run.until_saved()
    cluster.preempt(job.node)
    until(lambda: "continuing after step" in run.log, "the training to continue")
    assert cluster.detail(job, "Restarts") == "1"
    assert run.ended(snakemake) == 0, run.said[-4000:]
    survived(
        run,
        "preemption by a job of higher priority",
        "saved at SIGTERM, requeued by SLURM as the same job, continued",
    )
    assert run.spend()[0] == 0


@pytest.mark.faults
def test_failed_node_costs_the_steps_since_the_last_checkpoint(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start()
    job = cluster.job(run.folder, "finetune")
    run.until_saved()
    with cluster.failed_node(job.node):
        assert run.ended(snakemake) == 0, run.said[-4000:]
    survived(
        run,
        "node loses its power",
        "requeued by SLURM on the other node, took over the dead trainer's lease",
    )
    assert run.spend()[0] <= SAVE_EVERY


@pytest.mark.faults
def test_training_stops_by_itself_before_its_time_is_up_and_continues_in_a_new_job(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start("--set-resources", "finetune:runtime=4")
    run.until_saved()
    with run.suspended():
        time.sleep(120)  # half of its time, which is its budget
    assert run.ended(snakemake) == 0, run.said[-4000:]
    assert "not finished: stopped and saved after step" in run.told
    assert "'TIMEOUT'" not in run.said
    survived(
        run,
        "time limit comes near",
        "stopped by itself and saved; Snakemake submitted a new job, which continued",
    )
    assert run.spend()[0] == 0


@pytest.mark.faults
def test_training_killed_at_its_time_limit_continues_in_a_new_job(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start()
    job = cluster.job(run.folder, "finetune")
    run.until_saved()
    ask("scontrol", "update", f"jobid={job.id}", "timelimit=1")
    with run.suspended():
        until(lambda: not any(j.id == job.id for j in cluster.jobs()), "SLURM to end the job")
    assert run.ended(snakemake) == 0, run.said[-4000:]
    assert "'TIMEOUT'" in run.said
    survived(
        run,
        "time limit reached by a training that hangs",
        "killed by SLURM (TIMEOUT); Snakemake submitted a new job, which continued",
    )


@pytest.mark.faults
def test_training_without_enough_memory_gets_more_in_its_next_job(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    run.config["resources"] = CONFIG["resources"] | {"training_mem_mb": 400}
    run.on_slurm()
    asked = [line for line in run.said.splitlines() if "sbatch call" in line]
    assert "--mem 400" in asked[0]
    assert "--mem 800" in asked[1]
    survived(
        run,
        "memory limit",
        f"killed by SLURM; continued in job {len(asked)} with {400 * len(asked)} MB",
    )


@pytest.mark.faults
def test_cancelled_job_is_submitted_again(cluster: Cluster, run: TrainingRun, survived) -> None:
    snakemake = run.start()
    job = cluster.job(run.folder, "finetune")
    run.until_saved()
    ask("scancel", job.id)
    assert run.ended(snakemake) == 0, run.said[-4000:]
    assert "'CANCELLED'" in run.said
    survived(run, "scancel", "saved at SIGTERM; Snakemake submitted a new job, which continued")
    assert run.spend()[0] == 0


@pytest.mark.faults
def test_crash_of_the_controller_goes_unnoticed(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start()
    run.until_saved()
    cluster.end_controller()
    assert not (FOLDER / "slurmctld.pid").exists()
    until(lambda: "asking again later" in run.said, "Snakemake to ask for the state in vain")
    assert snakemake.poll() is None
    cluster.start()
    assert run.ended(snakemake) == 0, run.said[-4000:]
    assert run.said.count("sbatch call") == 1
    survived(run, "controller crashes, and returns after Snakemake asked in vain", "the job ran on")
    assert run.spend()[0] == 0


@pytest.mark.faults
def test_job_that_waits_for_another_trainer_exits_after_a_minute_and_names_it(
    cluster: Cluster, run: TrainingRun, note
) -> None:
    run.config["recipe_overrides"] = {"unet": {"finetune": {"steps": 10**6, "save_every": 50}}}
    snakemake = run.start()
    first = cluster.job(run.folder, "finetune")
    run.until_saved()
    trainer = run.trainer()
    snakemake.kill()
    snakemake.wait()
    assert run.ended(run.start("--retries", "0")) != 0
    refused = f"expected no other trainer, found process {trainer} on "
    assert refused in run.log
    assert f"SLURM job {first.id}" in run.log
    before = run.step()
    until(lambda: run.step() > before, "the first trainer to go on")
    ask("scancel", first.id)
    until(lambda: not cluster.jobs(run.folder), "the first trainer to end")
    assert not (run.work / "lease.json").exists()
    note(
        "second trainer of the same state",
        "waited a minute, ended with one line that names the first; the first went on",
        "none yet",
    )
