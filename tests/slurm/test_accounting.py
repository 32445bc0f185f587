"""On a cluster with accounting, states are read from sacct."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from cluster import Cluster, ask
from training_run import SAVE_EVERY, TrainingRun


@pytest.fixture
def accounting(cluster: Cluster) -> Iterator[Cluster]:
    """The SLURM of these tests with slurmdbd; without it again afterwards."""
    with_accounting = Cluster(accounting=True)
    with_accounting.start()
    yield with_accounting
    cluster.start()


@pytest.mark.faults
def test_cancelled_job_is_submitted_again_where_sacct_tells_its_state(
    accounting: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start("--slurm-status-command", "sacct")
    job = accounting.job(run.folder, "finetune")
    run.until_saved()
    ask("scancel", job.id)
    assert run.ended(snakemake) == 0, run.said[-4000:]
    assert "command=sacct" in run.said
    states = ask("sacct", "--noheader", "--allocations", "--parsable2", "--format=state")
    assert states.splitlines()[-2:] == ["CANCELLED by 0", "COMPLETED"]
    survived(
        run,
        "scancel, where sacct tells the state (slurmdbd)",
        "saved at SIGTERM; Snakemake submitted a new job, which continued",
    )
    assert run.spend()[0] == 0


@pytest.mark.faults
def test_killed_training_continues_in_a_new_job_where_sacct_tells_its_state(
    accounting: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start("--slurm-status-command", "sacct")
    accounting.job(run.folder, "finetune")
    run.until_saved()
    os.kill(run.trainer(), signal.SIGKILL)
    assert run.ended(snakemake) == 0, run.said[-4000:]
    assert "command=sacct" in run.said
    states = ask("sacct", "--noheader", "--allocations", "--parsable2", "--format=state").split()
    assert states[-2:] == ["FAILED", "COMPLETED"]
    survived(
        run,
        "SIGKILL to a trainer, where sacct tells the state (slurmdbd)",
        "its job failed; Snakemake submitted a new one, which continued",
    )
    assert run.spend()[0] <= SAVE_EVERY
