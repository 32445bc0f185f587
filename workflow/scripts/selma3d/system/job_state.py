"""The state of a job, in a JSON file beside its log: how far it is, its CPU time, how it ended.

Written by the job itself and by the training within it, which may be another process; read by the
status of a challenge, by the table of costs and by the display of a run's progress.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .atomic import open_own, publish
from .errors import FullDiskError
from .process_name import ProcessName
from .records import read_record

AT_WORK, FINISHED, FAILED, NOT_FINISHED = ("at work", "finished", "failed", "not finished")
# Why a job failed, where it could tell; new attempts differ by it.
BAD_INPUT, GPU_MEMORY, MEMORY, DISK, TIME = ("input", "GPU memory", "memory", "disk", "time")
# Unchanged, it would fail again.
HOPELESS = (BAD_INPUT, GPU_MEMORY, DISK)
BEAT_S = 30.0  # between signs of life of a job at work: its file is touched
PROGRESS_S = 5.0  # between two notes of a training
JOB = "SELMA3D_JOB_STATE"  # variable: the file's path, for a training in another process


@dataclass(frozen=True)
class JobState:
    """One attempt at a job, as it last wrote it down.

    end: `at work`, `finished`, `failed` (then `error` is its one line) or `not finished` (saved,
    continues when started again); reason: of a failure, empty where unknown. step, total: of its
    trainings; mem_mb: the memory that it was given; slurm_job: its number, or empty; queued_s:
    seconds that it waited for its start, where SLURM told. Times are Unix seconds.
    """

    process: ProcessName
    started: float
    end: str = AT_WORK
    error: str = ""
    step: int | None = None
    total: int | None = None
    seconds_left: float | None = None
    cpu_seconds: float | None = None
    reason: str = ""
    mem_mb: int | None = None
    slurm_job: str = ""
    queued_s: float | None = None

    @property
    def hopeless(self) -> bool:
        """Whether the same job would fail again."""
        return self.end == FAILED and self.reason in HOPELESS

    @classmethod
    def read(cls, path: Path) -> JobState | None:
        """The state in a file; None where no job has written one."""
        return read_record(path, cls)

    @property
    def text(self) -> str:
        """The content of its file."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        with publish(path) as temporary:
            temporary.write_text(self.text)

    def lives(self, path: Path) -> bool:
        """Whether the job is at work, as far as one look at its file can tell."""
        return self.end == AT_WORK and self.process.seems_alive(path)


def file_of(log: str | Path) -> Path:
    """Where the job of a log file writes its state."""
    log = Path(log)
    return log.with_name(f"{log.name}.json")


class JobReport:
    """A job's way to write its state; without a file, nothing is written."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._noted, self._began = float("-inf"), time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since this report was made."""
        return time.monotonic() - self._began

    @classmethod
    def of_environment(cls) -> JobReport:
        """The report of the job that this process works for, if for any."""
        path = os.environ.get(JOB)
        return cls(Path(path) if path else None)

    def begin(self, mem_mb: int | None = None, queued_s: float | None = None) -> None:
        """The job has started, in this process, with so much memory, after a time in a queue."""
        if self._path is not None:
            job = os.environ.get("SLURM_JOB_ID", "")
            state = JobState(
                ProcessName.own(), time.time(), mem_mb=mem_mb, slurm_job=job, queued_s=queued_s
            )
            state.write(self._path)

    def progress(
        self, step: int, total: int, seconds_left: float | None = None, *, now: bool = False
    ) -> None:
        """Note the step of a training: from time to time, at its end, or `now`."""
        clock = time.monotonic()
        if now or clock - self._noted >= PROGRESS_S or step == total:
            self._noted = clock
            self._change(step=step, total=total, seconds_left=seconds_left)

    def beat(self) -> None:
        """Show that the job lives."""
        if self._path is not None:
            with suppress(FileNotFoundError):
                os.utime(self._path, follow_symlinks=False)

    def finish(self, end: str, cpu_seconds: float, error: str = "", reason: str = "") -> None:
        """The job has ended in this way."""
        self._change(
            end=end, cpu_seconds=cpu_seconds, error=error, seconds_left=None, reason=reason
        )

    def _change(self, **values: object) -> None:
        state = None if self._path is None else JobState.read(self._path)
        if state is None:
            return
        try:
            replace(state, **values).write(self._path)
        except FullDiskError:
            self._overwrite(replace(state, **values))

    def _overwrite(self, state: JobState) -> None:
        """Write into the file's own blocks, which it has on a full disk too."""
        with suppress(OSError), open_own(self._path, "r+") as file:
            file.write(state.text)
            file.truncate()
