"""Folder of an archive: disk space, final names of its files, refusal of files from elsewhere."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from ..system import atomic
from ..system.errors import InputError
from .manifest import Entry
from .progress import amount


def require_room(what: str, size: int, folder: Path, min_free_bytes: int) -> None:
    """InputError if `size` more bytes in `folder` would leave less than `min_free_bytes` free."""
    free = shutil.disk_usage(folder).free
    if free - size < min_free_bytes:
        needs = f"needs {amount(size)} at {folder}" if size else f"grows at {folder}"
        reserve = f", of which {amount(min_free_bytes)} must stay free" if min_free_bytes else ""
        raise InputError(
            f"{what}: {needs}, found {amount(free)} free{reserve} (free some space, or use another "
            "disk)"
        )


def place(temporary: Path, final: Path, entry: Entry) -> None:
    """Give the verified file `temporary` its final name; also from one disk to another."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    try:
        temporary.replace(final)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(temporary, final, entry)
        temporary.unlink()


def link_or_copy(origin: Path, final: Path, entry: Entry) -> None:
    """Give `origin` a second name, `final`; a copy where file system or rights allow no link."""
    try:
        with atomic.publish(final) as temporary:
            os.link(origin, temporary)
    except OSError:
        _copy(origin, final, entry)


def _copy(origin: Path, final: Path, entry: Entry) -> None:
    with atomic.publish(final) as temporary:
        shutil.copyfile(origin, temporary)
        fault = entry.fault_of(entry.measured(temporary))
        if fault:
            raise InputError(f"{entry.path}: the copy of {origin} is not like it: {fault}")


def sweep(destination: Path) -> None:
    """Remove what a killed run left of `atomic.publish`; only where no other run is at work."""
    for leftover in destination.rglob(".*.partial*"):
        leftover.unlink()


def refuse_strays(destination: Path, expected: Collection[str]) -> None:
    """InputError if a file lies below `destination` that the archive does not hold.

    Conversion finds images by looking there: a file of an earlier manifest would become data.
    Hidden files are no images and may stay.
    """
    strays = [
        name
        for path in destination.rglob("*")
        if path.is_file()
        and not path.name.startswith(".")
        and (name := path.relative_to(destination).as_posix()) not in expected
    ]
    if strays:
        raise InputError(
            f"{destination}: expected the archive's files only, found {len(strays)} more, "
            f"such as {min(strays)} (move them away)"
        )
