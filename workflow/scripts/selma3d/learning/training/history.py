"""The history of a training: a table, a progress line, the job's state.

The table is long: step, seconds (spent training up to it, over all attempts), name, value. Rows are
appended and flushed as they come, so that they survive a kill; on a resume the rows after the
resumed step are cut off, for those steps are done again.
"""

from __future__ import annotations

import logging
import math
import os
import struct
import time
from datetime import timedelta
from pathlib import Path

from ...system.atomic import open_own, publish
from ...system.job_state import JobReport

log = logging.getLogger(__name__)

HEADER = "step\tseconds\tname\tvalue\n"
LINE_EVERY_S = 30.0  # of the log


class History:
    """History of one training in `folder`, which continues after `resumed` of `total` steps.

    seconds: training time before this attempt. part: number of this training, and how many like it
    the job consists of. first: whether this process writes (of several).
    """

    def __init__(
        self,
        folder: str | Path,
        total: int,
        resumed: int = 0,
        *,
        seconds: float = 0.0,
        recomputed: int = 0,
        part: tuple[int, int] = (0, 1),
        first: bool = True,
    ) -> None:
        self.path = Path(folder) / "history.tsv"
        self._total, self._resumed, self._first = total, resumed, first
        self._began = time.monotonic()
        self._before = seconds
        self._told = self._began
        self._part, self._report = part, JobReport.of_environment()
        if not first:
            self.recomputed = recomputed
            return
        self._reached = os.open(Path(folder) / "reached", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
        self.recomputed = recomputed + max(0, self._last_reached() - resumed)
        self._cut(resumed)
        self._table = open_own(self.path, "a")
        if resumed:
            self.write(resumed, {"recomputed_steps": self.recomputed})

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        if self._first:
            self._table.close()
            os.close(self._reached)

    @property
    def seconds(self) -> float:
        """Training time of all attempts so far."""
        return self._before + time.monotonic() - self._began

    def reached(self, step: int) -> None:
        """Note that `step` is computed, so that a later attempt can count what it repeats."""
        if self._first:
            os.pwrite(self._reached, struct.pack("<q", step), 0)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Append values of a step; flushed at once."""
        if not self._first:
            return
        rows = [
            f"{step}\t{self.seconds:.2f}\t{name}\t{_text(value)}\n"
            for name, value in values.items()
        ]
        self._table.write("".join(rows))
        self._table.flush()

    def warn(self, step: int, name: str, message: str) -> None:
        """Log a warning and mark it in the table as `name` = 1."""
        if self._first:
            log.warning("step %d: %s", step, message)
            self.write(step, {name: 1.0})

    def tell(self, step: int, values: dict[str, float]) -> None:
        """Show progress: in the job's state, and in the log now and then."""
        if not self._first:
            return
        now = time.monotonic()
        rate = (step - self._resumed) / max(now - self._began, 1e-9)
        number, parts = self._part
        done, total = number * self._total + step, parts * self._total
        self._report.progress(done, total, (total - done) / rate)
        if now - self._told > LINE_EVERY_S or step == self._total:
            self._told = now
            left = timedelta(seconds=round((self._total - step) / rate))
            shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
            log.info(
                "step %d of %d, %.3g steps/s, %s left, %s", step, self._total, rate, left, shown
            )

    def _last_reached(self) -> int:
        packed = os.pread(self._reached, 8, 0)
        return struct.unpack("<q", packed)[0] if len(packed) == 8 else 0

    def _cut(self, resumed: int) -> None:
        """Keep complete rows up to the resumed step."""
        rows = self.path.read_text().splitlines(keepends=True)[1:] if self.path.exists() else []
        whole = [row for row in rows if row.endswith("\n") and row.count("\t") == 3]
        with publish(self.path) as temporary:
            kept = [row for row in whole if int(row.split("\t", 1)[0]) <= resumed]
            temporary.write_text(HEADER + "".join(kept))


def publish_history(
    folder: Path, output: Path, step: int = 0, further: dict[str, float] | None = None
) -> None:
    """Publish the table of a training that has ended, with `further` values at its end."""
    table = (folder / "history.tsv").read_text()
    seconds = table.splitlines()[-1].split("\t")[1]
    rows = [f"{step}\t{seconds}\t{name}\t{_text(v)}\n" for name, v in (further or {}).items()]
    with publish(output) as temporary:
        temporary.write_text(table + "".join(rows))


def _text(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{value:.10g}"
