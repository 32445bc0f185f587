"""Files and folders that appear under their final name only when they are whole."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd

from .errors import FullDiskError, InputError

log = logging.getLogger(__name__)

# No room on the disk, in the quota, or beyond the largest file that is allowed (ulimit -f).
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
UNTOUCHED_S = 24 * 3600  # after which a writer on another machine counts as dead


@contextmanager
def publish(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success flush it to disk and rename it to `path`.

    On any exception the temporary file is removed and whatever stood at `path` stays untouched.
    The temporary name keeps the suffix, since some writers choose the format by it. Raises
    InputError where the disk is full. What stands at the temporary name goes first: a link there
    would lead the writer elsewhere, and is not put in the place of `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    temporary.unlink(missing_ok=True)
    try:
        with full_disk_explained(path):
            yield temporary
            with open_own(temporary, "rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def publish_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; on success it takes the place of `path`.

    Raises InputError where the disk is full.
    """
    path = Path(path)
    temporary = temporary_beside(path)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        with full_disk_explained(path):
            yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def open_own(path: str | Path, mode: str) -> IO[Any]:
    """Open a file that this project keeps to itself, such as a heartbeat or a history.

    Raises InputError for a link, since it may lead to somebody else's file, and for a pipe or
    device, which would be waited for.
    """
    try:
        file = open(path, mode, opener=_without_links)  # noqa: SIM115 - the caller closes it
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        raise InputError(f"{path}: expected a file, found a link or pipe (remove it)") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InputError(f"{path}: expected a file, found a pipe or device (remove it)")
    return file


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def write_table(frame: pd.DataFrame, path: str | Path) -> None:
    """Write `frame` as TSV, atomically; floats with ten significant digits, NaN as `NaN`."""
    with publish(path) as temporary:
        frame.to_csv(temporary, sep="\t", index=False, float_format="%.10g", na_rep="NaN")


@contextmanager
def full_disk_explained(path: Path) -> Iterator[None]:
    """Turn the system's error of a full disk, or quota, into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_DISK and "No space left" not in str(error):
            raise
        free = shutil.disk_usage(path.parent).free
        raise FullDiskError(
            f"{path}: expected room to write, found a full disk or quota, {free / 1e9:.3f} GB free "
            "in its folder (make room and start again: what is finished is kept)"
        ) from error


def remove_leftovers(path: str | Path, *, alone: bool = False) -> None:
    """Remove what killed processes have left of writing `path`, never what a living one is writing.

    On this machine a process is looked up; one of another machine counts as dead when it has not
    touched its file for a day. alone: nobody else can be writing it, so all of them are dead.
    """
    path = Path(path)
    if not path.parent.is_dir():
        return
    named = re.compile(
        re.escape(f".{path.stem}.")
        + r"(?P<host>.+)\.(?P<pid>\d+)\.partial"
        + re.escape(path.suffix)
    )
    for leftover in path.parent.iterdir():
        writer = named.fullmatch(leftover.name)
        if writer and (alone or _is_dead(writer["host"], int(writer["pid"]), leftover)):
            log.info("%s: left by a process that was killed, removed", leftover)
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def temporary_beside(path: Path) -> Path:
    """The name beside `path` under which this process writes it; `remove_leftovers` knows it."""
    name = f".{path.stem}.{socket.gethostname()}.{os.getpid()}.partial{path.suffix}"
    return path.with_name(name)


def _is_dead(host: str, pid: int, leftover: Path) -> bool:
    if host != socket.gethostname():
        try:
            return time.time() - leftover.stat().st_mtime > UNTOUCHED_S
        except FileNotFoundError:  # finished in the meantime
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # alive, and another user's
    return False
