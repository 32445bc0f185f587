"""Claims about the state of a challenge, told from its files alone."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import small_training
from selma3d.challenge import Challenge
from selma3d.challenge.configuration import read_config
from selma3d.learning import training
from selma3d.monitor import status as states
from selma3d.monitor.progress import DONE, FAILED, PENDING, RUNNING, STOPPED, progress_of
from selma3d.monitor.status import Status, as_json, as_text
from selma3d.system.errors import InputError
from selma3d.system.lease import Lease


@pytest.fixture
def challenge(repository: Path) -> Challenge:
    return Challenge(read_config(repository, [repository / "config/demo.yaml"]), repository)


def make(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def log_of(path: Path, error: BaseException, repository: Path) -> Path:
    """The log of a job that ends with this error."""
    sys.path.insert(0, str(repository / "workflow" / "scripts"))
    from job import running

    before = logging.root.handlers[:], logging.root.level
    path.parent.mkdir(parents=True, exist_ok=True)
    job = SimpleNamespace(log=[str(path)], output=[], resources={}, threads=1, rule="finetune")
    try:
        with pytest.raises((SystemExit, type(error))), running(job):
            raise error
    finally:
        logging.root.handlers[:], logging.root.level = before
    return path


def state_of(entries: list, of: str, name: str):
    return next(e for e in entries if (e.of, e.name) == (of, name) and e.method == "unet")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of a training that has stopped before its end."""
    folder = tmp_path_factory.mktemp("stopped")
    small_training.write_images(folder)
    arguments = small_training.finetuning(folder, folder, steps=4000, log_every=1)
    history = folder / "finetuning" / "rate-0.003" / "history.tsv"

    def terminate() -> None:
        while not (history.exists() and "steps_per_s" in history.read_text()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate).start()
    with pytest.raises(training.Unfinished):
        training.finetune(**arguments)
    return folder / "finetuning"


def test_training_that_has_stopped_tells_its_step(stopped: Path, tmp_path: Path, repository):
    log = log_of(tmp_path / "a.log", training.Unfinished(7, 4000), repository)
    seen = progress_of(log, stopped)
    assert seen.state == STOPPED
    assert 0 < seen.step < seen.steps == 4000
    assert "continues" in seen.note


def test_training_whose_owner_lives_tells_the_remaining_time(stopped: Path, tmp_path: Path):
    with Lease(stopped / "rate-0.003"):
        seen = progress_of(tmp_path / "none.log", stopped)
    assert seen.state == RUNNING
    assert seen.seconds_left > 0
    assert f"step {seen.step} of 4000, 0:" in seen.text


def test_steps_of_a_search_over_learning_rates_count_them_all(stopped: Path, tmp_path: Path):
    assert progress_of(tmp_path / "none.log", stopped, trainings=3).steps == 12000


@pytest.mark.parametrize("error", [InputError("a.h5: broken"), ValueError("bad"), MemoryError()])
def test_failed_job_shows_the_last_lines_of_its_log(tmp_path: Path, repository, error):
    seen = progress_of(log_of(tmp_path / "a.log", error, repository))
    assert seen.state == FAILED
    assert str(error) in seen.note


def test_job_without_a_lease_is_running_while_its_log_is_fresh(tmp_path: Path):
    log = make(tmp_path / "a.log", "vessel: case 1 of 6\n")
    assert progress_of(log).state == RUNNING
    os.utime(log, (time.time() - 7200,) * 2)
    seen = progress_of(log)
    assert seen.state == STOPPED
    assert "no sign of life" in seen.note


def test_nothing_begun_is_pending_and_finished_predictions_are_done(challenge, tmp_path: Path):
    assert {e.progress.state for e in Status(challenge, tmp_path).runs} == {PENDING}
    make(tmp_path / "predictions/unet/vessel/scratch-n2-f0-s0.h5")
    status = Status(challenge, tmp_path)
    assert state_of(status.runs, "vessel", "scratch-n2-f0-s0").progress.state == DONE
    assert not status.scored("unet", "vessel")


def test_run_says_which_job_it_waits_for(challenge, tmp_path: Path):
    run = ("vessel", "masked-n2-f0-s0")
    make(tmp_path / "logs/pretrain/unet/vessel-like/masked-s0.log", "step 1 of 10\n")
    waiting = state_of(Status(challenge, tmp_path).runs, *run)
    assert (waiting.stage, waiting.progress.state) == ("pretrain", PENDING)
    assert waiting.progress.note == "encoder masked-s0: running"
    make(tmp_path / "encoders/unet/vessel-like/masked-s0.pt")
    assert state_of(Status(challenge, tmp_path).runs, *run).stage == "finetune"
    make(tmp_path / "models/unet/vessel-like/masked-n2-f0-s0.pt")
    assert state_of(Status(challenge, tmp_path).runs, *run).stage == "predict"


def test_failed_job_of_several_runs_is_shown_once_with_its_log(challenge, tmp_path, repository):
    make(tmp_path / "models/unet/spot-like/scratch-n2-f0-s0.pt")
    log = tmp_path / "logs/predict/unet/spot-like/scratch-n2-f0-s0.log"
    log_of(log, InputError("cases.h5: no such file"), repository)
    status = Status(challenge, tmp_path)
    failed = [e for e in status.runs if e.progress.state == FAILED]
    assert {e.of for e in failed} == {"cfos", "microglia"}
    text = as_text(status)
    assert text.count("cases.h5: no such file") == 1
    assert str(log) in text


def test_owner_of_the_run_is_named(challenge, tmp_path: Path):
    with Lease(tmp_path / "work" / "run", role="run"):
        assert f"process {os.getpid()} on " in as_text(Status(challenge, tmp_path))
    assert "no run of a make target" in as_text(Status(challenge, tmp_path))


def test_json_holds_every_encoder_and_run(challenge, tmp_path: Path):
    written = json.loads(as_json(Status(challenge, tmp_path)))
    assert len(written["encoders"]) == 4
    assert {r["progress"]["state"] for r in written["runs"]} == {PENDING}
    assert len(written["runs"]) == 2 * 3 * 4 + 3


def test_thousands_of_runs_cost_a_look_a_folder(repository, tmp_path: Path, monkeypatch):
    config = read_config(repository, keys={"seeds": list(range(100))})
    looks = []
    listing = Status._list
    monkeypatch.setattr(
        Status, "_list", lambda self, folder: looks.append(folder) or listing(self, folder)
    )
    status = Status(Challenge(config, repository), tmp_path)
    assert len(status.runs) > 5000
    assert len(looks) == len(set(looks)) < len(status.runs) / 20


def test_command_prints_the_state_and_refuses_bad_input(tmp_path: Path, capsys):
    config = make(tmp_path / "c.yaml", yaml.safe_dump({"results": str(tmp_path / "results")}))
    assert states.main([str(config)]) == 0
    assert "unet" in capsys.readouterr().out
    assert states.main([str(tmp_path / "none.yaml")]) == 1
    assert "no such file" in capsys.readouterr().err
