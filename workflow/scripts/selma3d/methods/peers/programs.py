"""Programs of other environments: arguments as a list, output into a log, a failure as one line."""

from __future__ import annotations

import logging
import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...system.atomic import open_own
from ...system.errors import InputError

log = logging.getLogger(__name__)

# What would lead a program of another environment to the modules of this one.
OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
TAIL_BYTES = 8192


@dataclass(frozen=True)
class Spent:
    """What a program took: seconds on the clock, and CPU seconds with those of its children."""

    seconds: float
    cpu_seconds: float


def run(
    command: Sequence[str | Path],
    *,
    program_log: Path,
    variables: Mapping[str, str | Path] | None = None,
    minutes: float | None = None,
) -> Spent:
    """Run `command` and wait for it; what it prints is appended to `program_log`.

    variables: laid over this process's environment.
    Raises InputError with its last line if it cannot start, fails, or takes more than `minutes`.
    """
    arguments = [str(part) for part in command]
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    environment |= {name: str(value) for name, value in (variables or {}).items()}
    environment["PYTHONNOUSERSITE"] = "1"
    program_log.parent.mkdir(parents=True, exist_ok=True)
    log.info("running %s", " ".join(arguments))
    began, cpu_before = time.monotonic(), _cpu_of_children()
    with open_own(program_log, "ab") as file:
        try:
            code = subprocess.run(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                timeout=None if minutes is None else minutes * 60,
                check=False,
            ).returncode
        except OSError as error:
            raise InputError(
                f"{arguments[0]}: expected a program that starts, found: {error.strerror}"
            ) from None
        except subprocess.TimeoutExpired:
            raise InputError(
                f"{arguments[0]}: expected an end within {minutes:g} minutes, found none; "
                f"last line: {last_line(program_log)} (all of it: {program_log})"
            ) from None
    if code != 0:
        raise InputError(
            f"{arguments[0]}: expected exit code 0, found {code}; "
            f"last line: {last_line(program_log)} (all of it: {program_log})"
        )
    return Spent(time.monotonic() - began, _cpu_of_children() - cpu_before)


def last_line(program_log: Path) -> str:
    """The last line of a text file that says something."""
    with program_log.open("rb") as file:
        file.seek(max(0, program_log.stat().st_size - TAIL_BYTES))
        lines = file.read().decode(errors="replace").split("\n")
    said = [line.rpartition("\r")[2].strip() for line in lines if line.strip()]
    return said[-1] if said else "(it said nothing)"


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
