"""One owner at a time of a folder, also across hosts and after crashes.

Trainings own their checkpoints, segmentations their blocks, and a run of the workflow its results.
File locks alone are not safe on network file systems. The owner writes its name into `lease.json`
and a heartbeat beside it every few seconds. Another process takes the lease over when the owner is
a dead process of the same host, or when the heartbeat has stood still while it watched (clocks of
two hosts are never compared). An owner that was only suspended finds out before its next save.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType

from .atomic import publish
from .errors import InputError

log = logging.getLogger(__name__)

RECORD, HEARTBEAT = "lease.json", "lease.heartbeat"
HEARTBEAT_S = 5.0
STALE_S = 40.0  # eight heartbeats; longer than the attribute cache of common network file systems


class LeaseLostError(Exception):
    """Another process has taken over while this one was suspended; it must not save."""


class Lease:
    """Ownership of `folder` for as long as the context lasts; `role` says of what kind.

    Waits up to `patience_s` for a living owner, then raises InputError that names it.
    `predecessor` is the record of a dead owner that the lease was taken over from.
    """

    def __init__(
        self, folder: str | Path, *, role: str = "trainer", patience_s: float = 60.0
    ) -> None:
        self._path = Path(folder) / RECORD
        self._beats = Path(folder) / HEARTBEAT
        self._role, self._patience_s = role, patience_s
        self._token = uuid.uuid4().hex
        self.predecessor: dict | None = None
        self._ended = threading.Event()

    def __enter__(self) -> Lease:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._acquire()
        self._beat()
        self._thread = threading.Thread(target=self._keep_beating, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        if _read(self._path).get("token") == self._token:
            self._beats.unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)
        elif isinstance(error, Exception):
            raise self._lost() from error  # such as a file that the other has finished with

    def check(self) -> None:
        """Raise LeaseLostError if another trainer owns the folder by now."""
        if _read(self._path).get("token") != self._token:
            raise self._lost()

    def _lost(self) -> LeaseLostError:
        owner = _read(self._path)
        by = name_of(owner) if owner else f"another {self._role}, which has ended"
        return LeaseLostError(f"{self._path}: taken over by {by}; nothing more is saved")

    def _acquire(self) -> None:
        watched_since = time.monotonic()
        unchanged_since, last_beat, has_beaten = watched_since, self._heartbeat(), False
        told = False
        while not self._create():
            owner = read_owner(self._path.parent)
            now = time.monotonic()
            if self._heartbeat() != last_beat:
                unchanged_since, last_beat, has_beaten = now, self._heartbeat(), True
            lives_here = is_alive_here(owner)
            if lives_here is False or now - unchanged_since > STALE_S:
                why = "is dead" if lives_here is False else f"was silent for {STALE_S:.0f} s"
                log.warning("%s: taking over from %s, which %s", self._path, name_of(owner), why)
                self.predecessor = owner
                self._replace()
                return
            if now - watched_since > self._patience_s and (lives_here or has_beaten):
                raise InputError(
                    f"{self._path.parent}: expected no other {self._role}, found {name_of(owner)} "
                    "(wait for it or cancel it, then start again)"
                )
            if not told:
                log.info("%s: waiting for %s", self._path.parent, name_of(owner))
                told = True
            time.sleep(0.2)

    def _record(self) -> str:
        return json.dumps(
            {
                "token": self._token,
                "host": socket.gethostname(),
                "processes": _process_space(),
                "pid": os.getpid(),
                "started": _start_of(os.getpid()),
                "job": os.environ.get("SLURM_JOB_ID", ""),
                "role": self._role,
                "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            }
        )

    def _create(self) -> bool:
        """Link a complete record to the lease's name: succeeds for one process only."""
        record = self._path.with_name(f".lease.{self._token}")
        record.write_text(self._record())
        try:
            os.link(record, self._path)
        except FileExistsError:
            return False
        finally:
            record.unlink()
        return True

    def _replace(self) -> None:
        """Overwrite a dead owner's record; of several that do so at once the last one stays."""
        with publish(self._path) as temporary:
            temporary.write_text(self._record())
        time.sleep(1.0)
        self.check()

    def _keep_beating(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            if _read(self._path).get("token") == self._token:
                self._beat()

    def _beat(self) -> None:
        self._beats.write_text(f"{self._token} {time.time()}")

    def _heartbeat(self) -> str:
        try:
            return self._beats.read_text()
        except FileNotFoundError:
            return ""


def read_owner(folder: str | Path) -> dict:
    """The record of a folder's owner, dead or alive; empty if nobody owns it."""
    return _read(Path(folder) / RECORD)


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return {}


def name_of(owner: dict) -> str:
    """How an owner is named to people."""
    job = f", SLURM job {owner['job']}" if owner.get("job") else ""
    return (
        f"process {owner.get('pid', '?')} on {owner.get('host', '?')}{job}, "
        f"{owner.get('role', 'owner')} since {owner.get('since', '?')}"
    )


def is_alive_here(owner: dict) -> bool | None:
    """Whether the owner's process lives; None where that can't be told, as of another host."""
    if not is_of_this_host(owner):
        return None
    return _start_of(owner["pid"]) == owner["started"]


def is_of_this_host(owner: dict) -> bool:
    """Whether the owner's process has, or had, its number from this host or container."""
    return (owner.get("host"), owner.get("processes")) == (socket.gethostname(), _process_space())


def _start_of(pid: int) -> str:
    """The kernel's start time of a living process: tells it from a later one of the same number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]  # a zombie has ended, if nobody has noticed yet


def _process_space() -> str:
    """Identity of the numbering of processes, which containers of one host don't share."""
    return str(Path("/proc/self/ns/pid").readlink())
