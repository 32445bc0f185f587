"""Start of a training in several processes of this host, one a GPU."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...system.errors import BusyError, GpuMemoryError, InputError
from ...system.lease import LeaseLostError
from ...system.stop import SIGNALS, Unfinished
from .assignment import Assignment

log = logging.getLogger(__name__)

# What a worker tells by name and `launch` raises again; kinds of another error before it.
ERRORS = {
    "gpu_memory": GpuMemoryError,
    "busy": BusyError,
    "input_error": InputError,
    "lease_lost": LeaseLostError,
}
LIBRARY = Path(__file__).parents[3]  # the folder that holds this package


def launch(assignment: Assignment) -> None:
    """Do a training in the processes of its job, one a GPU of this host, which share its threads.

    Raises what the first of them raised: Unfinished, InputError, LeaseLostError, or RuntimeError
    for the rest.
    """
    job = replace(
        assignment.job, threads=max(1, assignment.job.threads // assignment.job.processes)
    )
    assignment = replace(assignment, job=job)
    job.work.mkdir(parents=True, exist_ok=True)
    outcome, written = job.work / "outcome.json", job.work / "launch.json"
    outcome.unlink(missing_ok=True)
    assignment.write(written)
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        "--local-addr=127.0.0.1",  # else by the host's name, which not every host can resolve
        f"--nproc-per-node={job.processes}",
        *("-m", "selma3d.learning.training.worker", str(written), str(outcome)),
    ]
    log.info("training in %d processes of this host", job.processes)
    process = subprocess.Popen(
        command,
        env=environment(OMP_NUM_THREADS=str(job.threads)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    before = {
        number: signal.signal(number, lambda *_: process.send_signal(signal.SIGTERM))
        for number in SIGNALS
    }
    try:
        for line in process.stdout:
            log.info("%s", line.rstrip())
        process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    _raise(json.loads(outcome.read_text()) if outcome.exists() else {}, process.returncode)


def environment(**changes: str) -> dict[str, str]:
    """The variables of another process, which finds this package too."""
    paths = [str(LIBRARY), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | changes


def _raise(outcome: dict[str, Any], code: int) -> None:
    """Raise what the worker's outcome (its JSON) tells."""
    if "unfinished" in outcome:
        raise Unfinished(**outcome["unfinished"])
    for name, error in ERRORS.items():
        if name in outcome:
            raise error(outcome[name])
    if code or "done" not in outcome:
        raise RuntimeError(f"the training processes ended with exit code {code} (see the log)")
