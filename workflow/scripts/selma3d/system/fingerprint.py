"""Fingerprint of a folder: changes with any file below it, and is cheap enough for planning."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

# What systems and file servers leave in folders, in small letters.
SYSTEM_FILES = (
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
    *("@eadir", "#recycle", "#snapshot", "__macosx", "lost+found"),
)


def is_system_file(name: str) -> bool:
    """Whether a file or folder of this name is a hidden one, or one of the system's own."""
    return name.startswith(".") or name.casefold() in SYSTEM_FILES


def visible(folder: Path, pattern: str = "*") -> list[Path]:
    """What a folder holds by its names, sorted; hidden files and the system's own left out."""
    return sorted(path for path in folder.glob(pattern) if not is_system_file(path.name))


def folder_fingerprint(folder: Path) -> str:
    """A text that changes with the name, size or time of any file below `folder`.

    No file is opened. Hidden files count for nothing; an absent folder has a fingerprint too.
    """
    digest = hashlib.sha256()
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_system_file(name))
        for name in sorted(files):
            if not is_system_file(name):
                path = os.path.join(place, name)  # noqa: PTH118, as fast as a network allows
                try:
                    found = os.stat(path)  # noqa: PTH116
                except OSError:
                    continue
                relative = os.path.relpath(path, folder)
                digest.update(f"{relative}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
