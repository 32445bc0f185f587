"""A real SLURM, a finished tiny challenge to disturb copies of, and the table of faults."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cluster as slurm
from cluster import Cluster
from fault_table import Fault, FaultTable
from training_run import TrainingRun, copied

TABLE = pytest.StashKey[FaultTable]()


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get("SELMA3D_FAULT_TABLE")
    config.stash[TABLE] = FaultTable(Path(path) if path else None)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A SLURM without accounting; a failure to start it is a failure of the tests."""
    if reason := slurm.missing():
        pytest.skip(reason)
    started = Cluster()
    found = started.runs()
    started.start()
    yield started
    if not found:
        started.stop()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    """The challenge as it comes out on this machine, without SLURM and without faults."""
    run = TrainingRun(tmp_path_factory.mktemp("undisturbed"))
    ran = run.finish()
    assert ran.returncode == 0, ran.stderr[-4000:]
    return run


@pytest.fixture
def run(cluster: Cluster, undisturbed: TrainingRun, tmp_path: Path) -> Iterator[TrainingRun]:
    """A folder in which all but the fine-tuning and what follows from it is done."""
    copy = copied(undisturbed, tmp_path / "run")
    yield copy
    copy.abandon()
    cluster.cancel(copy.folder)


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Add a row to the table of faults."""

    def add(fault: str, happened: str, tables: str, steps: int = 0, seconds: float = 0.0) -> None:
        request.config.stash[TABLE].add(Fault(fault, happened, tables, steps, seconds))

    return add


@pytest.fixture
def survived(
    undisturbed: TrainingRun, note: Callable[..., None]
) -> Callable[[TrainingRun, str, str], None]:
    """Finish a disturbed run, compare its scores with the undisturbed ones, and note the fault."""

    def check(run: TrainingRun, fault: str, happened: str) -> None:
        ran = run.finish()
        assert ran.returncode == 0, ran.stderr[-4000:]
        identical = run.scores() == undisturbed.scores()
        note(fault, happened, "identical" if identical else "DIFFERENT", *run.spend())
        assert identical

    return check
