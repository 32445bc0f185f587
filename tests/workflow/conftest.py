"""The tiny challenge, run once a session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tiny_challenge import ROOT, Workflow, git


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of its own with this checkout's files, to touch and to switch branches in."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split(
        "\0"
    ):
        if name and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "As checked out")
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Workflow:
    """The tiny challenge, run to its end; tests must leave it as it is."""
    workflow = Workflow(tmp_path_factory.mktemp("challenge"), checkout)
    ran = workflow.run()
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    return workflow


@pytest.fixture
def copy(finished: Workflow, tmp_path: Path) -> Workflow:
    """A copy of the finished challenge, to change; times and Snakemake's records come along."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Workflow(folder, finished.root)
