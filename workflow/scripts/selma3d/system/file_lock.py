"""File locks, held by one process at a time and released when it ends."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import BusyError

log = logging.getLogger(__name__)

# What a file system without locks answers: Lustre without -o flock, NFS without a lock daemon.
WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


def try_lock(descriptor: int) -> bool:
    """Lock an open file; False if another process holds it.

    True, with a warning in the log, where the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        log.warning("no file locks here (%s): start the same work only once", error.strerror)
    return True


@contextmanager
def alone_in(folder: Path, work: str) -> Iterator[None]:
    """Hold a folder while the context lasts.

    Needed since a workflow that was killed may have left its job at work there. Raises BusyError
    with the process that holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    with os.fdopen(file, "r+") as lock:
        if not try_lock(file):
            raise BusyError(
                f"{folder}: expected no other {work} here, found one at work, process "
                f"{lock.read() or 'unknown'} (wait for it, or end it)"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
