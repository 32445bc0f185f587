"""Copies of volumes on a disk of the node, for trainings that draw windows from them for hours."""

from __future__ import annotations

import logging
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ...system.atomic import FULL_DISK, remove_leftovers, temporary_beside
from ...system.errors import InputError
from ..sampling import VolumeSource

log = logging.getLogger(__name__)

KEPT_FREE = 0.05  # of the disk, which other jobs of the node use too


@contextmanager
def read_on_node(
    sources: Sequence[VolumeSource], scratch: str
) -> Iterator[tuple[VolumeSource, ...]]:
    """Sources that are read from copies of their files below `scratch`; these go at the end.

    scratch: a folder; `$NAME` stands for a variable of the job's environment; empty: nothing is
    copied. A file for which there is no room, or whose copy meets a full disk or quota, is read
    where it lies, and the log says so. What a killed job of this host has left there is removed.
    Raises InputError where there is no such folder.
    """
    if not scratch or not sources:
        yield tuple(sources)
        return
    base = Path(os.path.expandvars(scratch))
    if not base.is_dir():
        raise InputError(
            f"resources.scratch: {scratch}: expected a folder of {socket.gethostname()}, found "
            f"none at {base} (name a disk that each node has, or leave it empty)"
        )
    remove_leftovers(base / "selma3d")
    folder = temporary_beside(base / "selma3d")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield tuple(
            replace(source, copy=_copied(source.path, folder / f"{number}{source.path.suffix}"))
            for number, source in enumerate(sources)
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copied(file: Path, copy: Path) -> Path | None:
    """The copy of a file; None where there is no room for it, or no such file."""
    if not file.is_file():
        return None
    disk, size = shutil.disk_usage(copy.parent), file.stat().st_size
    if size > disk.free - KEPT_FREE * disk.total:
        log.info(
            "%s: read where it lies: %.1f GB, and %.1f GB are free in %s",
            *(file, size / 1e9, disk.free / 1e9, copy.parent),
        )
        return None
    try:
        shutil.copyfile(file, copy)
    except OSError as error:
        copy.unlink(missing_ok=True)
        if error.errno not in FULL_DISK:
            raise
        log.info("%s: read where it lies: %s: %s", file, copy.parent, error.strerror)
        return None
    log.info("%s: read from a copy in %s", file, copy.parent)
    return copy
