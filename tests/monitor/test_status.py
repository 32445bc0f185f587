"""Claims about the state of a challenge, told from its files alone."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import small_training
from selma3d.challenge import Challenge
from selma3d.challenge.config import read_config
from selma3d.learning import training
from selma3d.monitor import status as states
from selma3d.monitor.job_progress import (
    DONE,
    FAILED,
    PENDING,
    RUNNING,
    STOPPED,
    Progress,
    progress_of,
)
from selma3d.monitor.status import Status, as_json, as_text
from selma3d.system.errors import InputError
from selma3d.system.job_state import JobReport, JobState, file_of
from selma3d.system.lease import Lease
from selma3d.system.process_name import ProcessName


@pytest.fixture
def challenge(repository: Path) -> Challenge:
    given = {"methods": ["unet", "segresnet", "threshold"], "budgets": [2, "all"], "seeds": [0]}
    return Challenge(read_config(repository, [repository / "config/demo.yaml"], given), repository)


def make(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@contextmanager
def job_of(log: Path) -> Iterator[None]:
    """Be a job with this log, as a rule's script is."""
    from job import running

    before = logging.root.handlers[:], logging.root.level
    log.parent.mkdir(parents=True, exist_ok=True)
    frame = {
        "input": [],
        "output": [],
        "resources": {},
        "config": {},
        "threads": 1,
        "rule": "finetune",
    }
    job = SimpleNamespace(log=[str(log)], **frame)
    try:
        with running(job):
            yield
    finally:
        logging.root.handlers[:], logging.root.level = before


def failed(log: Path, error: BaseException) -> Path:
    """The log of a job that has ended with this error."""
    with pytest.raises((SystemExit, type(error))), job_of(log):
        raise error
    return log


def state_of(entries: list, of: str, name: str):
    return next(e for e in entries if (e.of, e.name) == (of, name) and e.method == "unet")


@pytest.fixture(scope="module")
def training_seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Progress, Progress]:
    """A search over learning rates, seen by another while it was at work, and after its stop."""
    folder = tmp_path_factory.mktemp("training")
    small_training.write_images(folder)
    rates = {"learning_rates": [3e-3, 1e-3, 3e-4], "steps": 4000, "log_every": 1}
    arguments = small_training.finetuning(folder, folder, **rates)
    log, seen = folder / "a.log", []

    def terminate() -> None:
        while not seen:
            now = progress_of(log)
            if now.step:
                seen.append(now)
                os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)

    threading.Thread(target=terminate).start()
    with pytest.raises(SystemExit), job_of(log):
        training.finetune(**arguments)
    return seen[0], progress_of(log)


def test_training_at_work_tells_its_step_and_the_remaining_time(training_seen) -> None:
    seen, _ = training_seen
    assert seen.state == RUNNING
    assert seen.seconds_left > 0
    assert f"step {seen.step} of 12000, " in seen.text


def test_training_that_has_stopped_tells_its_step(training_seen) -> None:
    working, stopped = training_seen
    assert stopped.state == STOPPED
    assert working.step <= stopped.step < stopped.steps == 3 * 4000
    assert "continues" in stopped.note


@pytest.mark.parametrize("error", [InputError("a.h5: broken"), ValueError("bad"), MemoryError()])
def test_failed_job_shows_its_error(tmp_path: Path, error) -> None:
    seen = progress_of(failed(tmp_path / "a.log", error))
    assert seen.state == FAILED
    assert str(error) in seen.note


def test_killed_job_of_this_host_is_known_at_once(tmp_path: Path) -> None:
    child = multiprocessing.get_context("fork").Process(
        target=JobReport(file_of(tmp_path / "a.log")).begin
    )
    child.start()
    child.join()
    assert progress_of(tmp_path / "a.log").state == STOPPED


def test_job_of_another_host_is_at_work_while_it_shows_signs_of_life(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.log")
    JobState(replace(ProcessName.own(), host="node7"), started=0.0).write(path)
    assert progress_of(tmp_path / "a.log").state == RUNNING
    os.utime(path, (time.time() - 7200,) * 2)
    seen = progress_of(tmp_path / "a.log")
    assert seen.state == STOPPED
    assert "no sign of life" in seen.note


def test_command_without_a_state_is_running_while_its_log_is_fresh(tmp_path: Path) -> None:
    log = make(tmp_path / "a.log", "vessel: case 1 of 6\n")
    assert progress_of(log).state == RUNNING
    os.utime(log, (time.time() - 7200,) * 2)
    seen = progress_of(log)
    assert seen.state == STOPPED
    assert "no sign of life" in seen.note


def test_a_job_that_has_ended_well_and_whose_output_is_to_be_made_again_is_pending(tmp_path: Path):
    with job_of(tmp_path / "a.log"):
        pass
    assert progress_of(tmp_path / "a.log") == Progress(PENDING)


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


def test_an_ensemble_waits_for_its_prediction(repository: Path, tmp_path: Path):
    given = {"methods": ["unet"], "seeds": [0, 1], "predict": {"ensemble": True}}
    config = read_config(repository, [repository / "config/demo.yaml"], given)
    status = Status(Challenge(config, repository), tmp_path)
    entry = state_of(status.runs, "vessel", "masked-nall-ens")
    assert (entry.stage, entry.job) == ("predict", "unet/vessel-like/masked-nall-ens")
    assert entry.progress.state == PENDING
    assert as_text(status)


def test_failed_job_of_several_runs_is_shown_once_with_its_log(challenge, tmp_path):
    make(tmp_path / "models/unet/spot-like/scratch-n2-f0-s0.pt")
    log = tmp_path / "logs/predict/unet/spot-like/scratch-n2-f0-s0.log"
    failed(log, InputError("cases.h5: no such file"))
    status = Status(challenge, tmp_path)
    entries = [e for e in status.runs if e.progress.state == FAILED]
    assert {e.of for e in entries} == {"cfos", "microglia"}
    text = as_text(status)
    assert text.count("cases.h5: no such file") == 1
    assert str(log) in text


def test_jobs_that_make_no_model_are_shown_while_at_work_and_when_they_fail(challenge, tmp_path):
    logs = tmp_path / "logs"
    failed(logs / "convert_cases/vessel.log", InputError("mouse1.nii.gz: expected 3 axes"))
    working = file_of(make(logs / "convert_volume/cfos/sample1.log"))
    JobState(replace(ProcessName.own(), host="node7"), started=0.0).write(working)
    with job_of(logs / "split/cfos.log"):
        pass
    left = logs / "pretrain/unet/vessel-like/masked-s9.log"  # of a seed that is no longer asked for
    failed(left, InputError("not asked for"))
    text = as_text(Status(challenge, tmp_path))
    assert "running\n  convert_volume cfos/sample1: on node7\n" in text
    assert "failed\n  convert_cases vessel\n    mouse1.nii.gz: expected 3 axes\n" in text
    assert "split" not in text
    assert "not asked for" not in text
    others = json.loads(as_json(Status(challenge, tmp_path)))["others"]
    assert [each["progress"]["state"] for each in others] == [FAILED, RUNNING]


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
