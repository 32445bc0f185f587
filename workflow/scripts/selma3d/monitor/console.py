"""Terminal output of a run: one line of progress, a line for each failure and warning."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from ..system.job_state import JobState, file_of
from .run_progress import RunProgress, Started

LINE_EVERY_S = 60.0  # in a file, and at every tenth of the work; a terminal's line is updated
LOOK_EVERY_S = 1.0


class RunConsole:
    """Prints to `stream`; may be called from any thread."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._updates = stream.isatty()
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._progress: RunProgress | None = None
        self._told_at, self._told_share = clock(), 0.0

    def say(self, line: str) -> None:
        """Print a line above that of the progress."""
        with self._lock:
            self._stream.write(f"\r\x1b[K{line}\n" if self._updates else f"{line}\n")
            self._stream.flush()

    def planned(self, jobs: Mapping[str, int]) -> None:
        """The run has so many jobs of each rule."""
        with self._lock:
            self._progress = RunProgress.of(jobs, self._clock())
        self.say(f"jobs to do: {self._progress.total}")

    def keep_telling(self) -> None:
        """Show the progress from now on also while no job begins or ends."""
        threading.Thread(target=self._keep_telling, daemon=True).start()

    def started(self, job: int, rule: str, log: Path | None) -> None:
        """A job has been handed out."""
        with self._lock:
            if self._progress:
                self._progress.running[job] = Started(rule, self._clock(), log)

    def finished(self, job: int) -> None:
        """A job has ended well."""
        with self._lock:
            if self._progress:
                self._progress.finish(job, self._clock())
        self.tell()

    def failed(self, job: int, rule: str, log: Path | None) -> None:
        """A job has failed: its error, and where its log is."""
        with self._lock:
            if self._progress:
                self._progress.running.pop(job, None)
        state = JobState.read(file_of(log)) if log else None
        error = state.error if state else ""
        self.say(
            f"FAILED: {rule}: {error or 'no error was recorded'}\n        {log or 'it has no log'}"
        )

    def tell(self) -> None:
        """Show the progress where it is due."""
        with self._lock:
            if self._progress is None or self._ended.is_set():
                return
            now = self._clock()
            share, left = self._progress.share_and_seconds_left(now)
            share = max(share, self._told_share)  # the estimate may fall, which would puzzle
            if self._updates:
                self._stream.write(f"\r\x1b[K{self._line(share, left)}")
                self._stream.flush()
                self._told_share = share
                return
            is_tenth = int(10 * share) > int(10 * self._told_share)
            if is_tenth or now - self._told_at >= LINE_EVERY_S:
                self.say(self._line(share, left))
                self._told_at, self._told_share = now, share

    def close(self) -> None:
        """No more progress is shown."""
        with self._lock:
            if self._updates and self._progress and not self._ended.is_set():
                self._stream.write("\r\x1b[K")
                self._stream.flush()
            self._ended.set()

    def _line(self, share: float, left: float | None) -> str:
        progress = self._progress
        rules = Counter(each.rule for each in progress.running.values())
        now = ", ".join(f"{n} {rule}" if n > 1 else rule for rule, n in rules.items())
        told = [f"{100 * share:3.0f} %", f"{progress.done} of {progress.total} jobs"]
        if left is not None and progress.done < progress.total:
            told.append(f"about {_rounded(left)} left")
        return ", ".join(told) + (f" ({now})" if now else "")

    def _keep_telling(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            self.tell()


def _rounded(seconds: float) -> str:
    """A time as precise as an estimate is."""
    if seconds < 100:
        return f"{max(10, round(seconds, -1)):.0f} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 60 / 24:.0f} days"
