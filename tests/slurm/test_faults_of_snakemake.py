"""Whatever happens to the main Snakemake, the same command continues."""

from __future__ import annotations

import signal

import pytest

from cluster import Cluster, until
from training_run import MODEL, TrainingRun


@pytest.mark.faults
def test_interrupted_snakemake_cancels_its_jobs_which_have_saved(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start()
    cluster.job(run.folder, "finetune")
    run.until_saved()
    snakemake.send_signal(signal.SIGINT)
    assert run.ended(snakemake) != 0
    until(lambda: not cluster.jobs(run.folder), "its jobs to end")
    run.on_slurm()
    survived(
        run,
        "SIGINT (Ctrl-C) to the main Snakemake",
        "its job was cancelled and saved at SIGTERM; the same command continued",
    )
    assert run.spend()[0] == 0


@pytest.mark.faults
def test_terminated_snakemake_waits_for_its_jobs(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start()
    run.until_saved()
    snakemake.terminate()
    run.ended(snakemake)
    assert not cluster.jobs(run.folder)
    run.on_slurm()
    survived(
        run,
        "SIGTERM to the main Snakemake",
        "it waited for its running job; the same command went on from there",
    )
    assert run.spend()[0] == 0


@pytest.mark.faults
@pytest.mark.parametrize(
    ("plain", "message"),
    [(False, "expected no other run, found process {pid} on "), (True, "cannot be locked")],
    ids=["make", "snakemake"],
)
def test_second_workflow_in_the_same_folder_is_refused(
    cluster: Cluster, run: TrainingRun, survived, plain: bool, message: str
) -> None:
    first = run.start()
    run.until_saved()
    second = run.start(plain=plain)
    assert run.ended(second) != 0
    assert message.format(pid=first.pid) in run.said
    assert run.ended(first) == 0, run.said[-4000:]
    survived(
        run,
        f"two workflows in one folder, the second by {'snakemake' if plain else 'make'}",
        f"the second ended with a line that {'tells of a lock' if plain else 'names the first'}; "
        "the first was undisturbed",
    )


@pytest.mark.faults
def test_trainer_that_wakes_up_after_its_state_was_taken_over_harms_no_model(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start()
    first = cluster.job(run.folder, "finetune")
    run.until_saved()
    with run.suspended():
        snakemake.kill()
        snakemake.wait()
        again = run.start()
        assert run.ended(again) == 0, run.said[-4000:]
        assert "taking over from process" in run.log
        model = (run.folder / MODEL).read_bytes()
    until(lambda: all(j.id != first.id for j in cluster.jobs(run.folder)), "the first to end")
    assert "nothing more is saved" in run.told
    assert (run.folder / MODEL).read_bytes() == model
    survived(
        run,
        "node hangs for minutes and comes back (SIGSTOP), the run killed and typed again",
        "a new trainer took over after 40 s; the old one found out and left the model alone",
    )
