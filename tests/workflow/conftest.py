"""The tiny challenge, run once for all tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tiny_challenge import ROOT, Workflow, git

Once = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def checkout(once: Once) -> Path:
    """A repository of its own with this checkout's files; tests must leave it as it is."""

    def make(folder: Path) -> None:
        listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
        git(folder, "init", "--quiet", "--initial-branch", "main")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "As checked out")

    return once("checkout", make)


@pytest.fixture
def clone(checkout: Path, tmp_path: Path) -> Path:
    """A copy of the repository, to change."""
    return Path(shutil.copytree(checkout, tmp_path / "clone", symlinks=True))


@pytest.fixture(scope="session")
def finished(once: Once, checkout: Path) -> Workflow:
    """The tiny challenge, run to its end; tests must leave it as it is."""

    def make(folder: Path) -> None:
        ran = Workflow(folder, checkout).run()
        assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]

    return Workflow(once("challenge", make), checkout)


@pytest.fixture
def copy(finished: Workflow, tmp_path: Path) -> Workflow:
    """A copy of the finished challenge, to change; times and Snakemake's records come along."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Workflow(folder, finished.root)
