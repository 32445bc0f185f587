"""Names of processes, which are never used twice, unlike their numbers."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SILENT_S = 180.0  # since the last sign of life, by this host's clock: clocks may differ by minutes


@dataclass(frozen=True)
class ProcessName:
    """A process of a host. space: its numbering of processes; containers of a host don't share it.

    started: the kernel's start time, which tells it from a later process of the same number.
    """

    host: str
    space: str
    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessName:
        """The name of a process of this host."""
        return cls(socket.gethostname(), _space(), pid, _start_of(pid))

    @classmethod
    def own(cls) -> ProcessName:
        """The name of this process."""
        return cls.of(os.getpid())

    @property
    def is_of_this_host(self) -> bool:
        """Whether the process has, or had, its number from this host or container."""
        return (self.host, self.space) == (socket.gethostname(), _space())

    def lives(self) -> bool | None:
        """Whether it lives; None where that can't be told, as of another host."""
        return _start_of(self.pid) == self.started if self.is_of_this_host else None

    def seems_alive(self, sign: Path) -> bool:
        """Whether it lives, as far as one look can tell; `sign`: a file that it touches."""
        here = self.lives()
        if here is not None:
            return here
        with suppress(FileNotFoundError):
            return abs(time.time() - sign.stat().st_mtime) < SILENT_S
        return False


def _start_of(pid: int) -> str:
    """The kernel's start time of a living process; empty for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return (
        "" if fields[0] in "ZX" else fields[19]
    )  # a zombie has ended, though its parent has not noticed yet


def _space() -> str:
    return str(Path("/proc/self/ns/pid").readlink())
