"""How far one job is, from what it has written: its log, its lease, its checkpoints."""

from __future__ import annotations

import json
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from ..ranking.cost import SAID_CPU_TIME
from ..system.lease import HEARTBEAT, RECORD, is_alive_here, read_owner

PENDING, RUNNING, STOPPED, FAILED, DONE = STATES = (
    *("pending", "running", "stopped", "failed", "done"),
)
LAST_LINES = 3
SILENT_S = 900.0  # a job without a lease that has logged nothing for so long is not at work
# Heartbeats of another host are compared with this one's clock, so skew of minutes must not matter.
BEAT_S = 180.0


@dataclass(frozen=True)
class Progress:
    """State of a job; steps and seconds of a training, and what its log says last."""

    state: str
    step: int | None = None
    steps: int | None = None
    seconds_left: float | None = None
    note: str = ""

    @property
    def text(self) -> str:
        """Steps and time in one line, then the note."""
        if self.step is None:
            return self.note
        told = f"step {self.step} of {self.steps or '?'}"
        if self.seconds_left is not None:
            minutes, seconds = divmod(round(self.seconds_left), 60)
            told += f", {minutes // 60}:{minutes % 60:02d}:{seconds:02d} left"
        return f"{told}, {self.note}" if self.note else told


def progress_of(log: Path, work: Path | None = None, trainings: int = 1) -> Progress:
    """State of a job whose output does not exist yet.

    work: the folder of a training's state, which may hold `trainings` of them, one after another.
    A job is running if its lease's owner lives, or has none and its log is fresh; stopped if it
    has ended without a result but will continue, failed if its log ends with an error.
    """
    step, steps, seconds_left, owner_lives = None, None, None, None
    if work is not None and work.is_dir():
        step, steps, seconds_left, owner_lives = _training(work, trainings)
    if owner_lives:
        return Progress(RUNNING, step, steps, seconds_left)
    lines = _last_lines(log)
    if lines is None:
        return Progress(PENDING if step is None else STOPPED, step, steps)
    if any("error: " in line or " failed" in line or _ends_traceback(line) for line in lines):
        return Progress(FAILED, step, steps, note="\n".join(lines))
    if "not finished: " in lines[-1]:
        return Progress(STOPPED, step, steps, note="saved, continues when it is run again")
    if time.time() - log.stat().st_mtime < SILENT_S:
        return Progress(RUNNING, step, steps, note=lines[-1])
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(log.stat().st_mtime))
    return Progress(STOPPED, step, steps, note=f"no sign of life since {since}")


def owner_lives(folder: Path) -> bool:
    """Whether the owner of a folder lives, as far as one look at its files can tell."""
    owner = read_owner(folder)
    if not owner:
        return False
    here = is_alive_here(owner)
    if here is not None:
        return here
    try:
        beat = (folder / HEARTBEAT).stat().st_mtime
    except FileNotFoundError:
        return False
    return abs(time.time() - beat) < BEAT_S


def _training(work: Path, trainings: int) -> tuple[int | None, int | None, float | None, bool]:
    """Steps done, steps in all, seconds left, and whether an owner lives."""
    folders = [work, *sorted(path for path in work.glob("rate-*") if path.is_dir())]
    begun = [folder for folder in folders if (folder / "reached").exists()]
    alive = any(owner_lives(folder) for folder in folders if (folder / RECORD).exists())
    if not begun:
        return None, None, None, alive
    each = _steps(begun[0])
    done = sum(each if (f / "finished.pt").exists() and each else _reached(f) for f in begun)
    if each is None:
        return done, None, None, alive
    rate = max((_rate(folder) for folder in begun if not (folder / "finished.pt").exists()),
               default=0.0)  # fmt: skip
    left = (each * trainings - done) / rate if rate else None
    return done, each * trainings, left, alive


def _reached(folder: Path) -> int:
    packed = (folder / "reached").read_bytes()
    return struct.unpack("<q", packed)[0] if len(packed) == 8 else 0


def _steps(folder: Path) -> int | None:
    """Steps of a training, from the recipe that lies beside its checkpoints."""
    try:
        recipe = json.loads((folder / "recipe.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return next((recipe[key]["steps"] for key in ("finetune", "pretext") if key in recipe), None)


def _rate(folder: Path) -> float:
    """Steps a second, as the history last noted them; 0 where it has not yet."""
    try:
        with (folder / "history.tsv").open("rb") as table:
            table.seek(max(0, table.seek(0, 2) - 20_000))
            lines = table.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return 0.0
    rates = (line.split("\t")[3] for line in reversed(lines) if "\tsteps_per_s\t" in line)
    return float(next(rates, 0.0))


def _last_lines(log: Path) -> list[str] | None:
    """The last lines that tell something; None without a log, or with an empty one."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 4000))
            lines = file.read().decode(errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    telling = [line.rstrip() for line in lines if line.strip() and not SAID_CPU_TIME.search(line)]
    return telling[-LAST_LINES:] or None


def _ends_traceback(line: str) -> bool:
    """Whether a line reads like the last one of a traceback: `package.SomeError: message`."""
    name = line.partition(":")[0]
    return name.replace(".", "").isidentifier() and name.endswith(("Error", "Exception"))
