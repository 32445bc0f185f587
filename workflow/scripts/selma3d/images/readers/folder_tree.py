"""Folders that hold an image in many files: their state, their metadata, no link out of them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from ...system.errors import InputError
from ...system.json_text import parsed_json
from ...system.limits import check_file
from ...system.paths import safe_path
from .image_file import Identity

Json = dict[str, Any]


def tree_state(folder: Path, most_bytes: int | None = None) -> Identity:
    """Changes with the name, size or time of any file below `folder`; none is opened.

    most_bytes: what one file may have. Raises InputError for links, pipes and devices, and for a
    file that has more.
    """
    digest, total = hashlib.sha256(), 0
    waiting = [str(folder)]
    while waiting:
        place = waiting.pop()
        with os.scandir(place) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        for entry in listed:
            if entry.is_symlink():
                raise InputError(f"{entry.path}: expected data in this folder, found a link")
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
                continue
            if not entry.is_file(follow_symlinks=False):
                raise InputError(f"{entry.path}: expected a file, found a pipe or device")
            found = entry.stat(follow_symlinks=False)
            if most_bytes is not None and found.st_size > most_bytes:
                raise InputError(
                    f"{entry.path}: expected at most {most_bytes} bytes, as its image's metadata "
                    f"state, found {found.st_size}"
                )
            total += found.st_size
            digest.update(f"{entry.path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return ((folder.name, total, int(digest.hexdigest()[:12], 16)),)


def read_json(path: Path) -> Json:
    """The object in a JSON file of metadata; empty if there is no file. Raises InputError."""
    if path.is_symlink():
        raise InputError(f"{path}: expected a file, found a link")
    if not path.exists():
        return {}
    check_file(path, "metadata", "TEXT_BYTES")
    content = parsed_json(path.read_bytes(), path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found another value")
    return content


def below(folder: Path, name: str) -> Path:
    """The part of this name of `folder`; InputError where the name, or a link, leads out of it."""
    try:
        return safe_path(folder, str(name))
    except InputError as error:
        raise InputError(f"{folder}: expected a part of it, found {error}") from None
