"""Progress of one job, from the state that it writes beside its log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ..system import job_state
from ..system.job_state import JobState

STATES = PENDING, RUNNING, STOPPED, FAILED, DONE = (
    "pending", "running", "stopped", "failed", "done",
)  # fmt: skip

SILENT_S = 900.0  # a command of a method's own that has logged nothing for so long is not at work


@dataclass(frozen=True)
class Progress:
    """State of a job; steps and seconds of a training; its one error, or why it is not at work."""

    state: str
    step: int | None = None
    steps: int | None = None
    seconds_left: float | None = None
    note: str = ""
    host: str = ""  # where it is at work

    @property
    def text(self) -> str:
        """Host, steps and time in one line, then the note."""
        told = [f"on {self.host}"] if self.host else []
        if self.step is not None:
            told.append(f"step {self.step} of {self.steps}")
        if self.seconds_left is not None:
            told.append(f"{duration(self.seconds_left)} left")
        return ", ".join([*told, self.note] if self.note else told)


def progress_of(log: Path) -> Progress:
    """Progress of a job whose output does not exist yet.

    A method's own command may write no state: it is at work while it logs.
    """
    path = job_state.file_of(log)
    state = JobState.read(path)
    if state is None:
        if not log.exists():
            return Progress(PENDING)
        fresh = time.time() - log.stat().st_mtime < SILENT_S
        return Progress(RUNNING) if fresh else Progress(STOPPED, note=_last_sign(log))
    if state.end == job_state.FINISHED:  # its output has been removed since, to be made again
        return Progress(PENDING)
    if state.end == job_state.FAILED:
        return Progress(FAILED, state.step, state.total, note=state.error)
    if state.lives(path):
        host = state.process.host
        return Progress(RUNNING, state.step, state.total, state.seconds_left, host=host)
    saved = state.end == job_state.NOT_FINISHED
    note = "saved, continues when it is run again" if saved else _last_sign(path)
    if not saved and state.mem_mb:
        note += f", killed: for want of memory (it had {state.mem_mb} MB), or from outside"
    return Progress(STOPPED, state.step, state.total, note=note)


def _last_sign(file: Path) -> str:
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(file.stat().st_mtime))
    return f"no sign of life since {since}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: `1:02:03`."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
