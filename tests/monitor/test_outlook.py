"""Claims about the outlook: what is done and to come, and how long it will take."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from selma3d.challenge import Challenge
from selma3d.challenge.config import read_config
from selma3d.monitor import status as states
from selma3d.monitor.outlook import Outlook, Stage
from selma3d.monitor.status import Status, as_text
from selma3d.system.job_state import FINISHED, JobState, file_of
from selma3d.system.process_name import ProcessName


def challenge(repository: Path, gpu: int = 1, seeds: int = 1) -> Challenge:
    given = {
        "methods": ["unet", "threshold"],
        "budgets": ["all"],
        "seeds": list(range(seeds)),
        "resources": {"gpu": gpu},
    }
    return Challenge(read_config(repository, [repository / "config/demo.yaml"], given), repository)


def job(
    log: Path,
    output: Path | None,
    seconds: float,
    left: float | None = None,
    queued: float | None = None,
) -> None:
    """A job of this length: ended, or at work on another host where it has no output."""
    log.parent.mkdir(parents=True, exist_ok=True)
    now, name = time.time(), ProcessName.own()
    if output is None:
        remote = ProcessName("node7", name.space, name.pid, name.started)
        JobState(remote, now - seconds, step=5, total=10, seconds_left=left).write(file_of(log))
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    output.touch()
    JobState(name, now - seconds, FINISHED, queued_s=queued).write(file_of(log))
    os.utime(file_of(log), (now, now))


def test_nothing_ended_is_no_guess(repository, tmp_path):
    told = Outlook.of(Status(challenge(repository), tmp_path)).text
    assert told[0].startswith("0 of ")
    assert told[1] == "time left: unknown until a job has ended"


def test_time_left_is_that_of_the_jobs_to_come_shared_by_those_at_work():
    stages = (
        Stage("pretrain", 2, done=2, to_begin=3, seconds=(3600.0, 3600.0), left=(1800.0,)),
        Stage("finetune", 1, done=1, to_begin=2, seconds=(600.0,), left=(None,)),
    )
    told = Outlook(stages).text
    # 1800 s and 3 h of pretraining, half of a fine-tuning at work, and two that have not begun
    to_come = 1800 + 3 * 3600 + 300 + 1200
    assert told[0].startswith(
        f"3 of 10 long jobs are done, 2 at work: {7800 / (7800 + to_come):.0%}"
    )
    assert "GPU hours: 4.2 used, about 7.4 to come" in told[0]
    assert told[1].startswith("time left: about 1:57:30, with 2 at a time as now")


def test_a_stage_of_which_none_has_ended_is_guessed_and_named():
    told = Outlook((Stage("pretrain", 0, 1, 0, (100.0,)), Stage("predict", 0, 0, 2))).text
    assert told[1] == (
        "time left: about 0:03:20, one job after the other "
        "(guessed for predict, of which none has ended)"
    )


def test_lengths_and_progress_are_read_from_the_states_of_jobs(repository, tmp_path):
    asked = challenge(repository, seeds=2)
    for seed in range(2):
        log = tmp_path / f"logs/pretrain/unet/vessel-like/masked-s{seed}.log"
        encoder = tmp_path / f"encoders/unet/vessel-like/masked-s{seed}.pt"
        job(log, encoder, 100.0, queued=60.0 * (1 + seed))
    job(tmp_path / "logs/pretrain/unet/spot-like/masked-s0.log", None, 50.0, left=40.0)
    status = Status(asked, tmp_path)
    stage = next(each for each in Outlook.of(status).stages if each.name == "pretrain")
    assert (stage.gpus, stage.done, stage.to_begin, stage.left) == (1, 2, 1, (40.0,))
    assert stage.mean == pytest.approx(100.0, abs=2.0)
    assert "on node7, step 5 of 10, 0:00:40 left" in as_text(status)
    assert "in SLURM's queue: 0:01:30 on average, 0:02:00 at most (2 jobs)" in as_text(status)


def test_all_done_says_so_with_the_gpu_hours(repository):
    assert Outlook((Stage("pretrain", 1, 2, 0, (3600.0, 1800.0)),)).text == [
        "2 of 2 long jobs are done, 0 at work; GPU hours: 1.5 used"
    ]


def test_watching_prints_again_until_it_is_interrupted(repository, tmp_path, capsys, monkeypatch):
    naps = iter([None, None])

    def nap(seconds: float) -> None:
        assert seconds == 7.0
        if next(naps, "end") == "end":
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", nap)
    given = tmp_path / "c.yaml"
    given.write_text(f"results: {tmp_path / 'results'}\n")
    assert states.main([str(repository / "config/demo.yaml"), str(given), "--watch", "7"]) == 0
    assert capsys.readouterr().out.count("long jobs are done") == 3
