"""Claims about what a user sees of a run."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from selma3d.monitor.console import RunConsole
from selma3d.monitor.run_progress import RunProgress, Started
from selma3d.system.job_state import FAILED, JobReport, file_of


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run_jobs(console: RunConsole, clock: Clock, jobs: range, seconds: float) -> None:
    """Jobs that run one after another."""
    for job in jobs:
        console.started(job, "score", None)
        clock.now += seconds
        console.finished(job)


def test_share_of_the_work_counts_seconds_and_not_jobs() -> None:
    run = RunProgress.of({"finetune": 2, "score": 10}, now=0.0)
    assert run.share_and_seconds_left(0.0) == (0.0, None)
    for job in range(10):
        run.running[job] = Started("score", float(job), None)
        run.finish(job, job + 1.0)
    run.running[10] = Started("finetune", 10.0, None)
    run.finish(10, 110.0)
    share, left = run.share_and_seconds_left(110.0)
    assert share == pytest.approx(110 / 210)
    assert left == pytest.approx(100)


def test_a_training_at_work_tells_how_long_its_like_will_take(tmp_path: Path) -> None:
    run = RunProgress.of({"finetune": 2, "score": 1}, now=0.0)
    run.running[0] = Started("score", 0.0, None)
    run.finish(0, 1.0)
    report = JobReport(file_of(tmp_path / "a.log"))
    report.begin()
    report.progress(25, 100)
    run.running[1] = Started("finetune", 1.0, tmp_path / "a.log")
    share, left = run.share_and_seconds_left(26.0)
    assert share == pytest.approx(26 / 201)
    assert left == pytest.approx(75 + 100)


def test_a_log_file_gets_a_line_at_every_tenth_and_every_minute(clock: Clock) -> None:
    stream = io.StringIO()
    console = RunConsole(stream, clock)
    console.planned({"score": 100})
    run_jobs(console, clock, range(100), seconds=1.0)
    console.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "jobs to do: 100"
    assert lines[1] == " 10 %, 10 of 100 jobs, about 90 s left"
    assert lines[-1] == "100 %, 100 of 100 jobs"
    assert len(lines) == 11


def test_a_terminal_has_one_line_that_is_kept_up_to_date(clock: Clock) -> None:
    stream = Terminal()
    console = RunConsole(stream, clock)
    console.planned({"score": 100})
    run_jobs(console, clock, range(50), seconds=60.0)
    console.close()
    assert stream.getvalue().count("\n") == 1
    assert " 50 %, 50 of 100 jobs, about 50 min left" in stream.getvalue()


def test_a_failure_is_shown_with_its_error_and_its_log(clock: Clock, tmp_path: Path) -> None:
    stream, log = io.StringIO(), tmp_path / "a.log"
    report = JobReport(file_of(log))
    report.begin()
    report.finish(FAILED, 1.0, "cases.h5: expected masks, found none")
    console = RunConsole(stream, clock)
    console.planned({"score": 2})
    console.started(0, "score", log)
    console.failed(0, "score", log)
    console.close()
    assert "FAILED: score: cases.h5: expected masks, found none\n" in stream.getvalue()
    assert str(log) in stream.getvalue()
