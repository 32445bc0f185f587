"""Processes of this host that a killed run has left behind.

A run marks its environment with the folder that it owns, and everything that it starts inherits
that. What is left of it is told from other processes by the mark alone, never by a name or a group.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from pathlib import Path

log = logging.getLogger(__name__)

MARK = "SELMA3D_RUN"
SAVING_S = 120.0  # what a training may take to save its state


def mark(folder: Path) -> None:
    """Mark this process's environment, for all that it starts from now on."""
    os.environ[MARK] = str(folder)


def stop_orphans(folder: Path, patience_s: float = SAVING_S) -> int:
    """End what dead owners of `folder` have left behind on this host; the number of processes.

    They are asked first (trainings then save their state), and killed after `patience_s`. Jobs
    that a cluster runs are the cluster's, and stay.
    """
    asked: set[int] = set()
    deadline = time.monotonic() + patience_s
    while orphans := marked(folder):
        late = time.monotonic() > deadline
        for pid in orphans if late else [p for p in orphans if p not in asked | helpers(orphans)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        if not asked:
            log.warning("%d processes of the dead run are still at work: ended", len(orphans))
        asked |= set(orphans)
        time.sleep(0.1)
    return len(asked)


def marked(folder: Path) -> list[int]:
    """Living processes of this host that carry the mark, but for this one and cluster jobs."""
    wanted = f"{MARK}={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:  # ended, or another user's
            continue
        in_job = any(entry.startswith(b"SLURM_JOB_ID=") for entry in environment)
        if wanted in environment and not in_job and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


def helpers(pids: list[int]) -> set[int]:
    """Those that are mere copies of their parent, such as workers that read ahead for a training.

    They end with it, and it could not save without them.
    """
    commands = {pid: _command(pid) for pid in pids}
    return {pid for pid in pids if commands.get(_parent(pid)) == commands[pid] != b""}


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0
