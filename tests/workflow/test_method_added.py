"""A method is added by one command, and stands on the leaderboard without another change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd

from tiny_challenge import Workflow, git

WRITTEN = {
    "config/methods/mine.yaml",
    "workflow/rules/methods/mine.smk",
    "workflow/scripts/mine.py",
}


def test_a_new_method_finds_its_row_and_no_shared_file_changes(copy: Workflow, clone: Path):
    made = subprocess.run(
        # Only the runtime has what it imports; the Python that built it may have nothing.
        ["make", "new-method", "NAME=mine", "PYTHON=false", f"VENV={sys.prefix}", "RUNTIME="],
        cwd=clone,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    ran = Workflow(copy.folder, clone).run(
        "results/ranking/per-type/leaderboard.tsv", methods=["unet", "threshold", "mine"]
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    board = pd.read_csv(copy.results / "ranking/per-type/leaderboard.tsv", sep="\t")
    assert set(board["method"]) == {"unet", "threshold", "mine"}
    assert board.loc[board["method"] == "mine", "missing"].item() == 0
    assert "finetune" not in ran.stdout + ran.stderr
    changed = git(clone, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert {line.split()[1] for line in changed} == WRITTEN
    assert all(line.startswith("??") for line in changed)
