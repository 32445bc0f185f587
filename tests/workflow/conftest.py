"""The tiny challenge, run once a session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tiny_challenge import Workflow


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The tiny challenge, run to its end; tests must leave it as it is."""
    workflow = Workflow(tmp_path_factory.mktemp("challenge"))
    ran = workflow.run()
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    return workflow


@pytest.fixture
def copy(finished: Workflow, tmp_path: Path) -> Workflow:
    """A copy of the finished challenge, to change; times and Snakemake's records come along."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Workflow(folder)
