"""Status of a challenge, read from its files alone, also while it runs.

    python -m selma3d.monitor.status [CONFIG ...] [--watch SECONDS] [--json]

CONFIG: files that are laid over config/config.yaml, as `--configfile` takes them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from ..challenge import Challenge, Run
from ..challenge.config import read_config
from ..challenge.encoder import Encoder
from ..challenge.layout import Layout, of_encoder, of_model
from ..challenge.participants import encoders_of
from ..system import job_state
from ..system.errors import InputError
from ..system.lease import Owner
from .job_progress import DONE, FAILED, PENDING, RUNNING, STATES, STOPPED, Progress, progress_of
from .outlook import Outlook

ROOT = Path(__file__).resolve().parents[4]
OF_MODELS = ("pretrain", "finetune", "predict")  # stages whose jobs are those of encoders and runs
CLEAR = "\033[2J\033[H"  # the terminal, as ECMA-48 has it


@dataclass(frozen=True)
class StatusRow:
    """An encoder, or a run of a method on a structure: the job that it waits for, its progress.

    Or a job of neither, as a conversion of images: then without method, of and name.
    """

    method: str
    of: str  # the structure of a run, the group of an encoder
    name: str
    stage: str  # of the job that makes it, or that it waits for
    job: str
    progress: Progress
    log: Path

    @property
    def title(self) -> str:
        """The job, for people."""
        named = f"{self.method}, {self.of}, {self.name}" if self.method else self.job
        return f"{self.stage} {named}".rstrip()


class Status:
    """State of every encoder and run that a configuration asks for, and what other jobs are at.

    Folders are listed once, so that thousands of runs cost few looks at a network file system.
    """

    def __init__(self, challenge: Challenge, results: Path) -> None:
        self.challenge, self.layout = challenge, Layout(str(results))
        self._names = cache(self._list)
        self._progress_of = cache(progress_of)
        self.encoders = [self._encoder(names) for names in encoders_of(challenge)]
        self._encoders = {entry.job: entry for entry in self.encoders}
        self.runs = [
            self._run(method, structure, run)
            for method in challenge.methods
            for structure in challenge.structures_of(method)
            for run in challenge.runs(method, structure)
        ]

        self.others = list(self._others())

    @property
    def owner(self) -> str:
        """Who runs the workflow, as far as it is known."""
        folder = self.layout.owner()
        owner = Owner.read(folder)
        if owner is None:
            return "no run of a make target is at work"
        return f"{owner}{'' if owner.lives(folder) else ', which is dead'}"

    def scored(self, method: str, structure: str) -> bool:
        """Whether the method's scores on a structure are there."""
        return self.exists(self.layout.scores(method, structure))

    def _encoder(self, encoder: Encoder) -> StatusRow:
        names = (encoder.method, encoder.group, encoder.name)
        done = self.exists(self.layout.encoder(encoder))
        return self._entry(names, "pretrain", of_encoder(encoder), done)

    def _run(self, method: str, structure: str, run: Run) -> StatusRow:
        names = (method, structure, run.name)
        done = self.exists(self.layout.prediction(method, structure, run))
        stage, job = self._job(method, structure, run)
        if stage == "pretrain" and not done:
            encoder = self._encoders[job]
            waits = Progress(PENDING, note=f"encoder {encoder.name}: {encoder.progress.state}")
            return StatusRow(*names, stage, job, waits, encoder.log)
        return self._entry(names, stage, job, done)

    def _job(self, method: str, structure: str, run: Run) -> tuple[str, str]:
        """The stage and the name of the job that a run waits for."""
        challenge = self.challenge
        if method in challenge.foreign:
            return "foreign", f"{method}/{structure}"
        if method not in challenge.recipes:
            return method, structure if run.name == "default" else f"{structure}/{run.name}"
        target = next(
            t
            for t in challenge.targets.values()
            if t.track == run.track and structure in t.segments
        )
        if run.is_ensemble or self.exists(self.layout.model(method, target, run)):
            return "predict", of_model(method, target, run)
        encoder = run.encoder(method, target.group)
        if encoder and self._encoders[of_encoder(encoder)].progress.state != DONE:
            return "pretrain", of_encoder(encoder)
        return "finetune", of_model(method, target, run)

    def _entry(self, names: tuple[str, str, str], stage: str, job: str, done: bool) -> StatusRow:
        log = Path(self.layout.log(stage, job))
        if done:
            return StatusRow(*names, stage, job, Progress(DONE), log)
        begun = self.exists(str(log)) or self.exists(str(job_state.file_of(log)))
        progress = self._progress_of(log) if begun else Progress(PENDING)
        return StatusRow(*names, stage, job, progress, log)

    def _others(self) -> Iterator[StatusRow]:
        """Jobs that make no encoder and no run, unless they have ended well or not begun.

        By the states in the folder of logs: what a configuration asks of them, no file tells.
        """
        told = {entry.log for entry in (*self.encoders, *self.runs)}
        root = Path(self.layout.logs)
        for folder, below, names in os.walk(root):
            if Path(folder) == root:
                below[:] = sorted(set(below) - set(OF_MODELS))
            for name in sorted(names):
                log = Path(folder, name.removesuffix(".json"))
                if log.name == name or log.suffix != ".log" or log in told:
                    continue
                progress = progress_of(log)
                if progress.state != PENDING:
                    stage, _, job = log.relative_to(root).with_suffix("").as_posix().partition("/")
                    yield StatusRow("", "", "", stage, job, progress, log)

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        folder, _, name = path.rpartition("/")
        return name in self._names(folder)

    def _list(self, folder: str) -> frozenset[str]:
        try:
            return frozenset(entry.name for entry in Path(folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()


def as_text(status: Status) -> str:
    """The outlook, a table by method and structure, then what is at work, stopped or failed."""
    lines = [status.owner, *Outlook.of(status).text, ""]
    rows = [("", "of", "all", *STATES, "scored")]
    for method, group, entries in _grouped(status.encoders):
        rows.append((method, f"encoder {group}", *_counts(entries), ""))
    for method, structure, entries in _grouped(status.runs):
        scored = "yes" if status.scored(method, structure) else "no"
        rows.append((method, structure, *_counts(entries), scored))
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (
            str(cell).ljust(width) if column < 2 else str(cell).rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    for state in (RUNNING, STOPPED, FAILED):
        lines += _listed(state, [*status.encoders, *status.runs, *status.others])
    return "\n".join(lines)


def as_json(status: Status) -> str:
    """The same, entry by entry."""
    entries = {
        kind: [asdict(entry) | {"log": str(entry.log)} for entry in entries]
        for kind, entries in (
            ("encoders", status.encoders),
            ("runs", status.runs),
            ("others", status.others),
        )
    }
    return json.dumps({"owner": status.owner, **entries}, indent=1)


def _grouped(entries: list[StatusRow]) -> list[tuple[str, str, list[StatusRow]]]:
    groups: dict[tuple[str, str], list[StatusRow]] = {}
    for entry in entries:
        groups.setdefault((entry.method, entry.of), []).append(entry)
    return [(*key, members) for key, members in groups.items()]


def _counts(entries: list[StatusRow]) -> list[int]:
    counted = Counter(entry.progress.state for entry in entries)
    return [len(entries), *(counted[state] for state in STATES)]


def _listed(state: str, entries: list[StatusRow]) -> list[str]:
    """Each job of a state once, though several runs may wait for it."""
    lines, told = [], set()
    for entry in entries:
        if entry.progress.state != state or entry.log in told:
            continue
        told.add(entry.log)
        lines.append(f"  {entry.title}")
        if state == FAILED:
            lines += [f"    {entry.progress.note}", f"    {entry.log}"]
        else:
            lines[-1] += f": {entry.progress.text}"
    return ["", state, *lines] if lines else []


def main(arguments: list[str] | None = None) -> int:
    """Print the state; 0, or 1 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m selma3d.monitor.status",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", nargs="*", type=Path)
    parser.add_argument("--json", action="store_true", help="every encoder and run, for programs")
    parser.add_argument("--watch", type=float, metavar="SECONDS", help="print it again and again")
    given = parser.parse_args(arguments)
    try:
        config = read_config(ROOT, given.config)
        challenge = Challenge(config, ROOT)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    while True:
        told = (as_json if given.json else as_text)(Status(challenge, Path(config.results)))
        if given.watch is None:
            print(told)
            return 0
        print(f"{CLEAR}{time.strftime('%H:%M:%S')} {told}", flush=True)
        try:
            time.sleep(given.watch)
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
