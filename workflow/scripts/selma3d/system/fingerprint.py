"""Fingerprint of a folder: changes with any file below it, and is cheap enough for planning."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

# What systems and file servers leave in folders, in small letters.
SYSTEM_FILES = (
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
    *("@eadir", "#recycle", "#snapshot", "__macosx", "lost+found"),
)


PATTERN = "*"  # marks a name that stands for several files
PAIRED = (".xml", ".h5", ".hdf5")  # images in two files of one name


def is_system_file(name: str) -> bool:
    """Whether a file or folder of this name is a hidden one, or one of the system's own."""
    return name.startswith(".") or name.casefold() in SYSTEM_FILES


def visible(folder: Path, pattern: str = "*") -> list[Path]:
    """What a folder holds by its names, sorted; hidden files and the system's own left out."""
    return sorted(path for path in folder.glob(pattern) if not is_system_file(path.name))


def files_fingerprint(root: Path, names: Iterable[str]) -> str:
    """A text that changes with the name, size or time of any file that `names` stand for.

    Each name, relative to `root`, is a file, a folder, or a pattern of files. No file is opened.
    """
    digest = hashlib.sha256()
    for name in names:
        path = root / name
        digest.update(f"{name}\0".encode())
        if path.is_dir():
            digest.update(folder_fingerprint(path).encode())
            continue
        files = [path]
        if PATTERN in path.name:
            files = sorted(path.parent.glob(path.name))
        elif path.suffix.lower() in PAIRED:
            files = [path.with_suffix(suffix) for suffix in PAIRED]
        for file in files:
            try:
                found = file.stat()
            except OSError:
                continue
            digest.update(f"{file.name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def folder_fingerprint(folder: Path) -> str:
    """A text that changes with the name, size or time of any file below `folder`.

    No file is opened. Hidden files are not counted; an absent folder has a fingerprint too.
    """
    digest = hashlib.sha256()
    for path in files_below(folder):
        try:
            found = os.stat(path)  # noqa: PTH116, as fast as a network allows
        except OSError:
            continue
        relative = os.path.relpath(path, folder)
        digest.update(f"{relative}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def files_below(folder: Path) -> Iterator[str]:
    """Files in the order of their paths; hidden ones and the system's left out."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_system_file(name))
        for name in sorted(files):
            if not is_system_file(name):
                yield os.path.join(place, name)  # noqa: PTH118
