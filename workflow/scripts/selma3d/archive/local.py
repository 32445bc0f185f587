"""A local folder as an archive: its files are linked where possible, copied where not."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from pathlib import Path

from ..system.errors import InputError
from ..system.fingerprint import is_system_file
from . import manifest as manifests
from .archive_folder import link_or_copy
from .manifest import Entry
from .paths import safe_path

log = logging.getLogger(__name__)


def entries_below(folder: Path) -> list[Entry]:
    """All regular files below `folder`, sorted by name, nothing known of them but their size.

    InputError for what is neither file nor folder, and for a linked folder (it may lead anywhere,
    also in a circle); linked files count if `bring` finds them inside `folder`.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: expected the archive's folder, found none")
    entries = []
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not is_system_file(name)]
        files = [name for name in files if not is_system_file(name)]
        for path in (Path(parent, name) for name in folders):
            if path.is_symlink():
                raise InputError(f"{path}: a link to a folder is refused (put the folder there)")
        for path in (Path(parent, name) for name in files):
            if not path.is_file():
                raise InputError(f"{path}: expected a file, found a dead link or a device")
            entries.append(Entry(path.relative_to(folder).as_posix(), path.stat().st_size))
    if not entries:
        raise InputError(f"{folder}: expected the archive's files, found none")
    return sorted(entries, key=lambda entry: entry.path)


def bring(entry: Entry, folder: Path, destination: Path) -> Entry:
    """Put the file that `entry` describes below `destination`; what it is there, measured."""
    path = folder / entry.path
    origin = path.resolve()
    if not origin.is_relative_to(folder.resolve()):
        raise InputError(f"{path}: a link that leaves {folder} is refused (put the file there)")
    if not origin.is_file():
        raise InputError(f"{path}: expected a file, found none")
    found = entry.measured(origin)
    fault = entry.fault_of(found)
    if fault:
        raise InputError(f"{path}: {fault}")
    final = safe_path(destination, entry.path)
    if not final.exists() or not (final.samefile(origin) or entry.measured(final) == found):
        link_or_copy(origin, final, found)
    return found


def remove_withdrawn(destination: Path, placed: Path, names: Collection[str]) -> None:
    """Remove files that were placed earlier (listed in `placed`) and have left the folder since."""
    if not placed.is_file():
        return
    for entry in manifests.read(placed):
        if entry.path not in names:
            log.info("%s: no longer in the folder, removed", entry.path)
            safe_path(destination, entry.path).unlink(missing_ok=True)


def _raise(error: OSError) -> None:
    raise error
