"""Whatever SLURM does to a training, the scores come out as if nothing had happened."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest

from cluster import FOLDER, Cluster, ask, processes_with, until
from selma3d.system.job_state import BAD_INPUT, JobState, file_of
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
def test_training_stops_by_itself_before_its_time_is_up_and_is_requeued(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start("--set-resources", "finetune:runtime=4", "--retries", "0")
    job = cluster.job(run.folder, "finetune")
    run.until_saved()
    with run.suspended():
        time.sleep(120)  # half of its time, which is its budget
    until(lambda: "continuing after step" in run.log, "the training to continue")
    assert cluster.detail(job, "Restarts") == "1"
    assert run.ended(snakemake) == 0, run.said[-4000:]
    survived(
        run,
        "time limit comes near",
        "stopped by itself and saved; requeued under its number, continued; no retry was used",
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
    asked = re.findall(r"sbatch call: .*?--mem (\d+)", run.said)
    assert asked == ["400", "800", "1600"][: len(asked)] and len(asked) > 1
    survived(
        run,
        "memory limit",
        f"killed by SLURM; continued in job {len(asked)} with {asked[-1]} MB",
    )


@pytest.mark.faults
def test_a_hopeless_job_is_made_once_and_waits_for_no_gpu_to_be_refused(
    cluster: Cluster, run: TrainingRun, note
) -> None:
    patches = run.results / "data/cfos/patches.h5"
    whole = patches.read_bytes()
    patches.write_bytes(whole[: len(whole) // 2])
    assert run.ended(run.start()) != 0
    asked = re.findall(r"sbatch call: .*? --wrap", run.said)
    assert ["--gpus=1" in call for call in asked] == [True, False, False]
    lines = re.findall(r" error: (\S*patches\.h5: expected .*)", run.told)
    assert len(lines) >= 3 and len(set(lines)) == 1
    state = JobState.read(file_of(run.log_file))
    assert state.reason == BAD_INPUT
    assert str(patches.name) in state.error
    patches.write_bytes(whole)
    assert run.finish().returncode == 0
    note(
        "bad input (half of an HDF5 file)",
        "the job ended with one line; both retries were refused within seconds, without a GPU",
        "none yet",
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
def test_no_process_outlives_its_job_where_its_srun_hangs(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start()
    job = cluster.job(run.folder, "finetune")
    run.until_saved()
    below = processes_with("SLURM_JOB_ID", job.id)
    sruns = [pid for pid, name in below.items() if name == "srun"]
    (script,) = [pid for pid, name in below.items() if name == "slurm_script"]
    assert sruns
    for srun in sruns:
        os.kill(srun, signal.SIGSTOP)
    os.kill(script, signal.SIGKILL)  # SLURM has no way from it to what it has started
    until(lambda: all(each.id != job.id for each in cluster.jobs()), "the job to end")
    until(lambda: not processes_with("SLURM_JOB_ID", job.id), "its processes to end", seconds=180)
    assert run.ended(snakemake) == 0, run.said[-4000:]
    survived(
        run,
        "a job's srun hangs, and its batch script is killed",
        "the Snakemake between them was killed within two minutes; a new job continued",
    )


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
def test_job_that_waits_for_another_trainer_names_it_and_is_requeued(
    cluster: Cluster, run: TrainingRun, note
) -> None:
    endless = CONFIG["recipe_overrides"]["unet"]["finetune"] | {"steps": 10**6}
    recipe = CONFIG["recipe_overrides"]["unet"] | {"finetune": endless}
    run.config["recipe_overrides"] = {"unet": recipe}
    snakemake = run.start()
    first = cluster.job(run.folder, "finetune")
    run.until_saved()
    trainer = run.trainer()
    snakemake.kill()
    snakemake.wait()
    again = run.start("--retries", "0")
    work = run.work.relative_to(run.folder)
    refused = f"waiting: {work}: expected no other trainer, found process {trainer} on "
    until(lambda: refused in run.log, "the second to be refused")
    assert f"SLURM job {first.id}" in run.log
    until(lambda: cluster.job(run.folder, "finetune", "PENDING"), "the second to be requeued")
    before = run.step()
    until(lambda: run.step() > before, "the first trainer to go on")
    assert again.poll() is None
    note(
        "second trainer of the same state",
        "waited a minute, named the first, and was requeued; the first went on",
        "none yet",
    )
