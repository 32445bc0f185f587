"""Reading of many files in processes with caps on memory and time, and what came of each."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SPARE_BYTES = 3 << 30  # of addresses; what is really taken is measured
MOST_MB = 500.0  # above the start
MOST_CPU_S = 5
MOST_WAIT_S = 60  # for what never comes, such as the other end of a pipe

Read = Callable[[Path], object]


@dataclass(frozen=True)
class Outcome:
    """What came of a file: `read`, `refused` (one line), or a fault."""

    path: Path
    end: str  # "read", "refused", or of a fault: "traceback", "lines", "memory", "time", "crash"
    said: str
    mb: float = 0.0
    seconds: float = 0.0

    @property
    def is_fault(self) -> bool:
        return self.end not in ("read", "refused")


def read_all(tasks: Sequence[tuple[Path, Read]], record: Path) -> list[Outcome]:
    """Read each file by its function; a process that dies costs its file, and a new one goes on."""
    outcomes: list[Outcome] = []
    while len(outcomes) < len(tasks):
        record.write_text("")
        process = os.fork()
        if process == 0:
            _work(tasks[len(outcomes) :], record)
        _, status = os.waitpid(process, 0)
        done = [json.loads(line) for line in record.read_text().splitlines()]
        outcomes += [
            Outcome(path, *values)
            for (path, _), values in zip(tasks[len(outcomes) :], done, strict=False)
        ]
        if len(outcomes) < len(tasks):
            number = os.waitstatus_to_exitcode(status)
            late = number in (-signal.SIGXCPU, -signal.SIGALRM, -signal.SIGKILL)
            end = "time" if late else "crash"
            outcomes.append(Outcome(tasks[len(outcomes)][0], end, f"ended with {number}"))
    return outcomes


def _work(tasks: Sequence[tuple[Path, Read]], record: Path) -> None:
    """Read files and write down what came of each; never returns."""
    code = 1
    with contextlib.suppress(BaseException):
        logging.disable(logging.CRITICAL)
        warnings.simplefilter("ignore")
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        addresses = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (addresses + SPARE_BYTES,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        with record.open("a") as lines:
            for path, read in tasks:
                lines.write(json.dumps(_read_one(path, read)) + "\n")
                lines.flush()
        code = 0
    os._exit(code)


def _read_one(path: Path, read: Read) -> tuple[str, str, float, float]:
    from selma3d.system.errors import InputError

    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + MOST_CPU_S + 1, hard))
    signal.alarm(MOST_WAIT_S)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = _peak_mb(), time.process_time()
    end, said = "read", ""
    try:
        read(path)
    except InputError as error:
        end, said = ("refused" if _is_one_line(str(error)) else "lines"), str(error)
    except BaseException as error:
        end, said = "traceback", "".join(traceback.format_exception(error))[-3000:]
    signal.alarm(0)
    mb, seconds = _peak_mb() - before, time.process_time() - began
    if mb > MOST_MB:
        end, said = "memory", f"{mb:.0f} MB; {said}"
    return end, said, mb, seconds


def _is_one_line(message: str) -> bool:
    """Whether a message may stand in a log: a line, or a few for the faults of a table."""
    lines = message.splitlines()
    return 0 < len(lines) < 25 and all(line.isprintable() and len(line) < 1300 for line in lines)


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
