"""Program that checks this machine's GPU, each check in a process of its own (`make gpu-check`).

    python -m selma3d.monitor.gpu_check [CONFIG ...] [--table FILE] [--only NAME ...]

CONFIG: files that are laid over config/config.yaml; the recipes of that challenge are timed, and
the tables of their speed, which `make estimate` reads, lie with its results. The table of the
checks (results/gpu-check.tsv) has the columns name, value, limit, pass (yes, no, or what it waits
for), seconds; what they print is in a log beside it. Without a GPU the program does what needs
none. Exit code 1 where a check does not pass, or for bad input.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import pandas as pd

from ...challenge import Challenge
from ...challenge.config import read_config
from ...learning.training.launch import environment
from ...system.atomic import write_table
from ...system.errors import InputError
from ...system.gpus import VISIBLE
from ..status import ROOT
from . import computing, speed, steps, volumes, whole_trainings
from .check import Check, Found

log = logging.getLogger(__name__)

LONGEST_S = 600.0
YES, NO, WAITS = "yes", "no", "waits for a GPU"
WAITS_FOR_MORE = "waits for {} GPUs"


def main(arguments: list[str] | None = None) -> int:
    """Run the checks, print and write the table; 1 where one does not pass."""
    parser = argparse.ArgumentParser(
        prog="python -m selma3d.monitor.gpu_check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", nargs="*", type=Path)
    parser.add_argument("--table", type=Path, default=ROOT / "results" / "gpu-check.tsv")
    parser.add_argument("--only", action="append", metavar="NAME", help="this check alone")
    given = parser.parse_args(arguments)
    try:
        checks = checks_of(given.config)
        unknown = set(given.only or ()) - set(checks)
        if unknown:
            raise InputError(f"--only: expected one of {', '.join(checks)}, found {unknown.pop()}")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    rows = []
    given.table.parent.mkdir(parents=True, exist_ok=True)
    program_log, present = given.table.with_suffix(".log"), gpus_that_torch_uses()
    program_log.write_bytes(b"")
    for name in given.only or checks:
        rows.append(_row(name, checks[name], present, program_log))
        print("{pass:<16} {name:<30} {value} ({limit})".format(**rows[-1]), flush=True)
        write_table(pd.DataFrame(rows), given.table)  # so that an interruption loses nothing
    passes = [row["pass"] for row in rows]
    waiting = len(passes) - passes.count(YES) - passes.count(NO)
    print(f"{given.table}: {passes.count(YES)} pass, {passes.count(NO)} do not, {waiting} wait")
    return int(NO in passes)


def checks_of(config: Sequence[Path]) -> dict[str, Check]:
    """All checks, with those of the recipes of a configuration; InputError."""
    challenge = Challenge(read_config(ROOT, config), ROOT)
    return {
        **computing.CHECKS,
        **steps.CHECKS,
        **whole_trainings.CHECKS,
        **volumes.CHECKS,
        **speed.checks_of(challenge),
    }


def gpus_that_torch_uses() -> int:
    """Their number, asked in another process: a check may need CUDA untouched in its own."""
    if os.environ.get(VISIBLE) == "":
        return 0
    question = "import torch; print(torch.cuda.device_count() * torch.cuda.is_available())"
    answer = subprocess.run(
        [sys.executable, "-c", question], stdout=subprocess.PIPE, text=True, check=False
    )
    return int(answer.stdout or 0)


def _row(name: str, check: Check, present: int, program_log: Path) -> dict[str, object]:
    """A row of the table."""
    began = time.monotonic()
    if check.waits(present):
        passed = WAITS if check.gpus == 1 else WAITS_FOR_MORE.format(check.gpus)
        value = ""
    else:
        found = measured(check, program_log)
        value, passed = found.value, YES if found.passed else NO
    seconds = round(time.monotonic() - began, 1)
    return {"name": name, "value": value, "limit": check.limit, "pass": passed, "seconds": seconds}


def measured(check: Check, program_log: Path, longest_s: float = LONGEST_S) -> Found:
    """What a check finds in a process of its own; what went wrong there is what it finds.

    That process is forked, so that it needs not import torch again, which nothing here has used
    yet. It ends within `longest_s`, and all that it has started with it. program_log: what they
    print.
    """
    forked = multiprocessing.get_context("fork")
    answer, told = forked.Pipe(duplex=False)
    process = forked.Process(target=_measure, args=(check, program_log, told))
    process.start()
    told.close()
    try:
        return answer.recv() if answer.poll(longest_s) else _no_answer(longest_s)
    except EOFError:
        process.join()
        return Found(f"ended with exit code {process.exitcode}", False)
    finally:
        process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join()


def _no_answer(longest_s: float) -> Found:
    return Found(f"no answer in {longest_s:.0f} s", False)


def _measure(check: Check, program_log: Path, told: Connection) -> None:
    """Be the process of a check, and the first of its group."""
    os.setsid()
    with program_log.open("ab") as printed:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
    if check.hidden:
        os.environ[VISIBLE] = ""
    os.environ |= environment()
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
        try:
            found = check.measure(Path(folder))
        except Exception as error:  # whatever it is, it is what the check has found
            log.exception("not passed")
            found = Found(" ".join(f"{type(error).__name__}: {error}".split()), False)
    told.send(found)


if __name__ == "__main__":
    sys.exit(main())
