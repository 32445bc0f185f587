"""Runs as the make targets start them: one owner of the results, and on after a kill."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import time
from pathlib import Path
from types import ModuleType

import pytest

from selma3d.system.job_state import JobState
from tiny_challenge import ROOT, Workflow

LEADERBOARD = "results/ranking/per-type/leaderboard.tsv"


@pytest.fixture(scope="module")
def run() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run", ROOT / "workflow" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def at_work(workflow: Workflow) -> list[Path]:
    """Jobs that are at work: the files of their states."""
    files = workflow.results.glob("logs/**/*.json")
    return [file for file in files if JobState.read(file).lives(file)]


@pytest.fixture(scope="module")
def killed(finished: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A run that was killed during its first trainings, having refused another owner.

    Images and encoders are the finished challenge's; all that follows from them is to do.
    """
    workflow = Workflow(tmp_path_factory.mktemp("killed") / "copy", finished.root)
    shutil.copytree(finished.folder, workflow.folder, symlinks=True)
    for made in ("models", "predictions", "checks", "scores", "ranking", "report.html"):
        path = workflow.results / made
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for kind in ("work", "logs", "benchmarks"):
        shutil.rmtree(workflow.results / kind / "finetune", ignore_errors=True)
    owner = workflow.run_owned(LEADERBOARD)
    begun = workflow.results / "work" / "finetune"
    while not begun.exists():
        assert owner.poll() is None, owner.stderr.read()[-4000:]
        time.sleep(0.1)
    second = workflow.run_owned(LEADERBOARD)
    refusal = second.communicate(timeout=120)[1]
    assert second.returncode == 1, refusal
    assert f"found process {owner.pid} on {socket.gethostname()}" in refusal
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    while at_work(workflow):  # orphans, which end with their run
        time.sleep(0.1)
    return workflow


@pytest.fixture(scope="module")
def printed(killed: Workflow) -> list[str]:
    """The lines that the killed run prints, typed again."""
    plain = killed.run(LEADERBOARD)
    assert plain.returncode != 0
    assert "Directory cannot be locked" in plain.stdout + plain.stderr
    again = killed.run_owned(LEADERBOARD)
    out, err = again.communicate(timeout=900)
    assert again.returncode == 0, (out + err)[-4000:]
    return out.splitlines()


@pytest.fixture
def continued(killed: Workflow, printed: list[str]) -> Workflow:
    return killed


def test_a_killed_run_typed_again_ends_with_the_score_tables_of_an_undisturbed_one(
    finished, continued
):
    tables = sorted(finished.results.glob("scores/*/*.tsv"))
    assert len(tables) == 6
    for table in tables:
        other = continued.results / table.relative_to(finished.results)
        assert table.read_bytes() == other.read_bytes()


def test_a_run_prints_little_ends_with_the_leaderboard_and_keeps_snakemakes_log(continued, printed):
    assert len(printed) < 25
    assert any(line.startswith("100 %, ") for line in printed)
    board = printed.index("leaderboard, per-type, 3 of 3 entrants:")
    assert printed[board + 1].split()[0] == "1"
    own = (continued.results / "logs" / "snakemake.log").read_text()
    assert "rule finetune:" in own


def test_nothing_is_left_of_an_ended_run(run, continued):
    folder = run.lease_folder(continued.results)
    assert list(folder.iterdir()) == []
    assert at_work(continued) == []
    assert not list(continued.folder.glob(".snakemake/locks/*"))


def test_finished_runs_are_ranked_beside_a_living_run(run, copy):
    with run.Lease(run.lease_folder(copy.results), role="run"):
        refused = copy.run_owned()
        assert "expected no other run" in refused.communicate(timeout=120)[1]
        board = "results/partial" + LEADERBOARD.removeprefix("results")
        beside = copy.run_owned(board, partial=True)
        said = beside.communicate(timeout=300)[1]
        assert beside.returncode == 0, said[-4000:]
    assert (copy.folder / board).exists()
