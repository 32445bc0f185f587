"""A method is added by one command, and stands on the leaderboard without another change."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tiny_challenge import Workflow

WRITTEN = {
    "config/methods/mine.yaml",
    "workflow/rules/methods/mine.smk",
    "workflow/scripts/mine.py",
}


def git(checkout: Path, *arguments: str) -> str:
    me = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
    command = ["git", "-C", str(checkout), *me, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    """A clean clone of this checkout as it is now."""
    root = tmp_path / "clone"
    listed = git(repository, "ls-files", "--cached", "--others", "--exclude-standard")
    for name in listed.splitlines():
        if (repository / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repository / name, root / name)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Everything")
    return root


def test_a_new_method_finds_its_row_and_no_shared_file_changes(copy: Workflow, checkout: Path):
    made = subprocess.run(
        ["make", "new-method", "NAME=mine", f"PYTHON={sys.executable}"],
        cwd=checkout,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    ran = Workflow(copy.folder, checkout).run(
        "results/ranking/per-type/leaderboard.tsv", methods=["unet", "threshold", "mine"]
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    board = pd.read_csv(copy.results / "ranking/per-type/leaderboard.tsv", sep="\t")
    assert set(board["method"]) == {"unet", "threshold", "mine"}
    assert board.loc[board["method"] == "mine", "missing"].item() == 0
    assert "finetune" not in ran.stdout + ran.stderr
    changed = git(checkout, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert {line.split()[1] for line in changed} == WRITTEN
    assert all(line.startswith("??") for line in changed)
