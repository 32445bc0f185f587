"""Runs as the make targets start them: one owner of the results, and on after a kill."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from selma3d.system import orphans
from tiny_challenge import ROOT, Workflow

LEADERBOARD = "results/ranking/per-type/leaderboard.tsv"


@pytest.fixture(scope="module")
def run() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run", ROOT / "workflow" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A run that was killed during its first trainings, having refused another owner."""
    workflow = Workflow(tmp_path_factory.mktemp("killed"))
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
    return workflow


@pytest.fixture(scope="module")
def continued(killed: Workflow) -> Workflow:
    """The killed run, typed again."""
    plain = killed.run(LEADERBOARD)
    assert plain.returncode != 0
    assert "Directory cannot be locked" in plain.stdout + plain.stderr
    again = killed.run_owned(LEADERBOARD)
    said = again.communicate(timeout=900)[1]
    assert again.returncode == 0, said[-4000:]
    return killed


def test_a_killed_run_typed_again_ends_with_the_score_tables_of_an_undisturbed_one(
    finished, continued
):
    tables = sorted(finished.results.glob("scores/*/*.tsv"))
    assert len(tables) == 6
    for table in tables:
        other = continued.results / table.relative_to(finished.results)
        assert table.read_bytes() == other.read_bytes()


def test_nothing_is_left_of_an_ended_run(run, continued):
    folder = run.lease_folder(continued.results)
    assert list(folder.iterdir()) == []
    assert orphans.marked(folder) == []
    assert not list(continued.folder.glob(".snakemake/locks/*"))


def test_finished_runs_are_ranked_beside_a_living_run(run, copy):
    with run.Lease(run.lease_folder(copy.results), role="run"):
        refused = copy.run_owned()
        assert "expected no other run" in refused.communicate(timeout=120)[1]
        beside = copy.run_owned("--quiet", "rules", partial=True)
        said = beside.communicate(timeout=300)[1]
        assert beside.returncode == 0, said[-4000:]
    assert (copy.results / "partial" / LEADERBOARD.removeprefix("results/")).exists()


def test_only_locks_of_the_dead_run_are_removed(run, tmp_path):
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/demo/report.html\n")
    (locks / "1.output.lock").write_text("results/demo-2/report.html\n")
    (locks / "2.output.lock").write_text("results/demo/report.html\n")
    os.utime(locks / "0.output.lock", (1000, 1000))
    os.utime(locks / "1.output.lock", (1000, 1000))
    found = run.locks_of_dead_run(tmp_path, tmp_path / "results" / "demo", last_beat=2000)
    assert found == [locks / "0.output.lock"]


def sleeping(**environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    child = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE)
    child.stdout.readline()
    return child


def test_orphans_are_told_by_their_mark_alone(tmp_path: Path):
    orphan = sleeping(SELMA3D_RUN=str(tmp_path))
    others = [
        sleeping(),
        sleeping(SELMA3D_RUN=f"{tmp_path}-2"),
        sleeping(SELMA3D_RUN=str(tmp_path), SLURM_JOB_ID="4711"),
    ]
    assert orphans.stop_orphans(tmp_path) == 1
    assert orphan.wait(10) == -signal.SIGTERM
    for other in others:
        assert other.poll() is None
        other.kill()
        other.wait()


def test_an_orphan_that_does_not_end_when_asked_is_killed(tmp_path: Path):
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(flush=True); time.sleep(600)"
    )
    environment = os.environ | {"SELMA3D_RUN": str(tmp_path)}
    command = [sys.executable, "-c", stubborn]
    orphan = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    orphan.stdout.readline()
    assert orphans.stop_orphans(tmp_path, patience_s=0.3) == 1
    assert orphan.wait(10) == -signal.SIGKILL
