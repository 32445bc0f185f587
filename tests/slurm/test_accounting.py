"""On a cluster with accounting, states are read from sacct."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster import Cluster, ask
from training_run import TrainingRun


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
    states = ask("sacct", "--noheader", "--allocations", "--parsable2", "--format=jobid,state")
    ended = dict(line.split("|") for line in states.splitlines())
    assert ended[job.id].startswith("CANCELLED")
    assert "COMPLETED" in ended.values()
    survived(
        run,
        "scancel, where sacct tells the state (slurmdbd)",
        "saved at SIGTERM; Snakemake submitted a new job, which continued",
    )
    assert run.spend()[0] == 0
