"""Progress of a download: log lines always, a progress bar on a terminal."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque

from tqdm import tqdm

log = logging.getLogger(__name__)

LOG_EVERY_S = 10.0
RATE_OVER_S = 60.0


class Progress:
    """Counts bytes as they arrive, from any thread; `expected` is None where a size is unknown."""

    def __init__(self, title: str, files: int, expected: int | None) -> None:
        self._title, self._files, self._expected = title, files, expected
        self._in_hand: dict[str, int] = {}
        self._here = self._finished = self._new = 0
        self._marks = deque([(time.monotonic(), 0)])
        self._lock = threading.Lock()
        self._bar = tqdm(
            total=expected,
            desc=title,
            unit="B",
            unit_scale=True,
            disable=not sys.stderr.isatty(),
        )

    def arrived(self, path: str, size: int, new: int) -> None:
        """`size` bytes of `path` are here, `new` of them since the last call."""
        with self._lock:
            change = size - self._in_hand.get(path, 0)
            self._in_hand[path] = size
            self._here += change
            self._bar.update(change)
            self._new += new
            now = time.monotonic()
            if now - self._marks[-1][0] >= LOG_EVERY_S:
                self._report(now)

    def finished(self) -> None:
        with self._lock:
            self._finished += 1

    def close(self) -> None:
        with self._lock:
            self._bar.close()
            self._report(time.monotonic())

    def _report(self, now: float) -> None:
        while len(self._marks) > 1 and now - self._marks[1][0] > RATE_OVER_S:
            self._marks.popleft()
        then, before = self._marks[0]
        rate = (self._new - before) / max(now - then, 1e-9)
        self._marks.append((now, self._new))
        here = self._here
        line = f"{self._title}: {self._finished} of {self._files} files, {amount(here)}"
        if self._expected is not None:
            line += f" of {amount(self._expected)}"
        line += f", {amount(rate)}/s"
        if self._expected is not None and rate > 0:
            line += f", {duration(max(0, self._expected - here) / rate)} left"
        log.info(line)


def amount(size: float) -> str:
    """Bytes as people read them, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:  # what would be rounded to 1000 is one of the next unit
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def duration(seconds: float) -> str:
    """A duration in the largest unit that leaves a whole part: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
