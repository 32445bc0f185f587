"""Training in several processes of this host, one a GPU."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from ...system.atomic import publish
from ...system.errors import InputError
from ...system.lease import LeaseLostError
from ...system.stop import SIGNALS, Unfinished

log = logging.getLogger(__name__)


def launch(entry: str, arguments: dict, processes: int, work: Path) -> None:
    """Run `training.<entry>(**arguments)` in `processes` processes of this host, one a GPU.

    Raises what the first of them raised: Unfinished, InputError, LeaseLostError, or RuntimeError
    for the rest.
    """
    work.mkdir(parents=True, exist_ok=True)
    outcome = work / "outcome.json"
    outcome.unlink(missing_ok=True)
    order = work / "launch.json"
    with publish(order) as temporary:
        written = {"entry": entry, "arguments": arguments, "outcome": str(outcome)}
        temporary.write_text(json.dumps(written, default=str))
    library = Path(__file__).parents[3]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [
        f"--nproc-per-node={processes}",
        "-m",
        "selma3d.learning.training.worker",
        str(order),
    ]
    paths = [str(library), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": str(arguments["threads"]),
    }
    log.info("training in %d processes of this host", processes)
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
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


def _raise(outcome: dict, code: int) -> None:
    if "unfinished" in outcome:
        raise Unfinished(**outcome["unfinished"])
    if "input_error" in outcome:
        raise InputError(outcome["input_error"])
    if "lease_lost" in outcome:
        raise LeaseLostError(outcome["lease_lost"])
    if code or "done" not in outcome:
        raise RuntimeError(f"the training processes ended with exit code {code} (see the log)")
