"""Leases: one owner of a folder at a time, also across hosts and after crashes.

Trainings own their checkpoints, segmentations their blocks, and a run of the workflow its results.
File locks alone are not safe on network file systems. The owner writes its name into `lease.json`
and a heartbeat beside it every few seconds. Another process takes the lease over when the owner is
a dead process of the same host, or when the heartbeat has stood still while it watched (clocks of
two hosts are never compared). An owner that was only suspended finds out before its next save.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from .atomic import open_own, publish
from .errors import BusyError
from .process_name import ProcessName
from .records import read_record

log = logging.getLogger(__name__)

RECORD, HEARTBEAT = "lease.json", "lease.heartbeat"
TOKEN_BYTES = 1 << 16
HEARTBEAT_S = 5.0
STALE_S = 40.0  # eight heartbeats; longer than the attribute cache of common network file systems
# What a file system without hard links answers, such as one of Windows, or BeeGFS between folders.
NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV)


class LeaseLostError(Exception):
    """Another process has taken over while this one was suspended; it must not save."""


@dataclass(frozen=True)
class Owner:
    """The record of a folder's owner. token: differs for each lease; job: of SLURM, or empty."""

    token: str
    process: ProcessName
    role: str
    job: str
    since: str

    @classmethod
    def read(cls, folder: str | Path) -> Owner | None:
        """The owner of a folder, dead or alive; None if nobody owns it."""
        return read_record(Path(folder) / RECORD, cls)

    def lives(self, folder: str | Path) -> bool:
        """Whether it lives, as far as one look at its folder can tell."""
        return self.process.seems_alive(Path(folder) / HEARTBEAT)

    def __str__(self) -> str:
        job = f", SLURM job {self.job}" if self.job else ""
        process = f"process {self.process.pid} on {self.process.host}"
        return f"{process}{job}, {self.role} since {self.since}"


class Lease:
    """Ownership of `folder` for as long as the context lasts; `role` says of what kind.

    Waits up to `patience_s` for a living owner, then raises BusyError that names it.
    `taken_over` says whether a dead owner had left it.
    """

    def __init__(
        self, folder: str | Path, *, role: str = "trainer", patience_s: float = 60.0
    ) -> None:
        self._folder = Path(folder)
        self._path = self._folder / RECORD
        self._beats = self._folder / HEARTBEAT
        self._role, self._patience_s = role, patience_s
        self._token = uuid.uuid4().hex
        self.taken_over = False
        self._ended = threading.Event()

    def __enter__(self) -> Lease:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._acquire()
        self._beat()
        self._thread = threading.Thread(target=self._keep_beating, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._is_ours():
            self._beats.unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)
        elif isinstance(error, Exception):
            raise self._lost() from error  # such as a file that the other has finished with

    def check(self) -> None:
        """Raise LeaseLostError if another trainer owns the folder by now."""
        if not self._is_ours():
            raise self._lost()

    def _is_ours(self) -> bool:
        owner = Owner.read(self._folder)
        return owner is not None and owner.token == self._token

    def _lost(self) -> LeaseLostError:
        by = Owner.read(self._folder) or f"another {self._role}, which has ended"
        return LeaseLostError(f"{self._path}: taken over by {by}; nothing more is saved")

    def _acquire(self) -> None:
        watched_since = time.monotonic()
        unchanged_since, last_beat, has_beaten = watched_since, self._heartbeat(), False
        told = False
        while not self._create():
            owner = Owner.read(self._folder)
            now = time.monotonic()
            if self._heartbeat() != last_beat:
                unchanged_since, last_beat, has_beaten = now, self._heartbeat(), True
            lives_here = owner and owner.process.lives()
            if lives_here is False or now - unchanged_since > STALE_S:
                why = "is dead" if lives_here is False else f"was silent for {STALE_S:.0f} s"
                name = owner or "an owner without a name"
                log.warning("%s: taking over from %s, which %s", self._path, name, why)
                self.taken_over = True
                self._replace()
                return
            if now - watched_since > self._patience_s and (lives_here or has_beaten):
                raise BusyError(
                    f"{self._folder}: expected no other {self._role}, found {owner or 'one'} "
                    "(wait for it or cancel it, then start again)"
                )
            if not told:
                log.info("%s: waiting for %s", self._folder, owner or "its owner")
                told = True
            time.sleep(0.2)

    def _record(self) -> str:
        job, since = os.environ.get("SLURM_JOB_ID", ""), time.strftime("%Y-%m-%d %H:%M:%S")
        return json.dumps(asdict(Owner(self._token, ProcessName.own(), self._role, job, since)))

    def _create(self) -> bool:
        """Link a complete record to the lease's name: succeeds for one process only."""
        record = self._path.with_name(f".lease.{self._token}")
        record.write_text(self._record())
        try:
            os.link(record, self._path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            return self._create_exclusively()
        finally:
            record.unlink()
        return True

    def _create_exclusively(self) -> bool:
        """The same where there are no hard links; for a moment, the record is not whole."""
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return False
        with os.fdopen(file, "w") as opened:
            opened.write(self._record())
        return True

    def _replace(self) -> None:
        """Overwrite a dead owner's record; of several processes that do so, the last one wins."""
        with publish(self._path) as temporary:
            temporary.write_text(self._record())
        time.sleep(1.0)
        self.check()

    def _keep_beating(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            if self._is_ours():
                self._beat()

    def _beat(self) -> None:
        with open_own(self._beats, "w") as file:
            file.write(f"{self._token} {time.time()}")

    def _heartbeat(self) -> str:
        try:
            with open_own(self._beats, "r") as file:
                return file.read(TOKEN_BYTES)
        except FileNotFoundError:
            return ""
