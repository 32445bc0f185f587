"""Program that checks this machine's GPU, each check in a process of its own (`make gpu-check`).

    python -m selma3d.monitor.gpu_check [CONFIG ...] [--table FILE] [--only NAME ...]

CONFIG: files that are laid over config/config.yaml; the recipes of that challenge are timed, and
the tables of their speed, which `make estimate` reads, lie with its results. The table of the
checks (results/gpu-check.tsv) has the columns name, value, limit, pass (yes, no, or what it waits
for), seconds. Without a GPU the program does what needs none. Exit code 1 where a check does not
pass, or for bad input.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from ...challenge import Challenge
from ...challenge.config import read_config
from ...system.atomic import write_table
from ...system.errors import InputError
from ...system.gpus import VISIBLE
from ..status import ROOT
from . import computing, speed, steps, volumes, whole_trainings
from .check import Check, Found, environment

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
    parser.add_argument("--inside", help=argparse.SUPPRESS)  # one check, in this process
    given = parser.parse_args(arguments)
    try:
        checks = checks_of(given.config)
        unknown = set(given.only or ()) - set(checks)
        if unknown:
            raise InputError(f"--only: expected one of {', '.join(checks)}, found {unknown.pop()}")
        if given.inside:
            with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
                print(json.dumps(asdict(checks[given.inside].measure(Path(folder)))))
            return 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    rows = []
    given.table.parent.mkdir(parents=True, exist_ok=True)
    present = gpus_that_torch_uses()
    for name in given.only or checks:
        rows.append(_row(name, checks[name], present, given.config))
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


def _row(name: str, check: Check, present: int, config: Sequence[Path]) -> dict[str, object]:
    """A row of the table."""
    began = time.monotonic()
    if check.waits(present):
        passed = WAITS if check.gpus == 1 else WAITS_FOR_MORE.format(check.gpus)
        value = ""
    else:
        found = measured(name, check, config)
        value, passed = found.value, YES if found.passed else NO
    seconds = round(time.monotonic() - began, 1)
    return {"name": name, "value": value, "limit": check.limit, "pass": passed, "seconds": seconds}


def answered(
    command: Sequence[str], environment: Mapping[str, str], longest_s: float
) -> subprocess.CompletedProcess[str] | None:
    """A program's end; None where it does not end in time. What it has started ends with it."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            out, told = process.communicate(timeout=longest_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, process.returncode, out, told)


def measured(name: str, check: Check, config: Sequence[Path]) -> Found:
    """What a check finds in a process of its own; what went wrong there is what it finds."""
    command = [sys.executable, "-m", __package__, *map(str, config), "--inside", name]
    own = environment(**{VISIBLE: ""} if check.hidden else {})
    answer = answered(command, own, LONGEST_S)
    if answer is None:
        return Found(f"no answer in {LONGEST_S:.0f} s", False)
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]
        return Found(" ".join(last.split()), False)
    return Found(**json.loads(answer.stdout.splitlines()[-1]))


if __name__ == "__main__":
    sys.exit(main())
