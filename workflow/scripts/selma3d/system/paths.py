"""Paths made of names from manifests, URLs and archives; unsafe names are refused.

A name is what someone else wrote: it may be absolute, climb out of its folder, or pass through a
symbolic link. Nothing else joins a foreign name to a folder.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from .errors import InputError

LONGEST_COMPONENT = 255  # bytes; the limit of the common file systems
_DRIVE = re.compile(r"^[A-Za-z]:")


def fault_of_name(name: str) -> str | None:
    """Why `name` may not be used as a relative path, or None where it may."""
    if not name:
        return "it is empty"
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        return "it holds a control character"
    if "\\" in name:
        return "it holds a backslash"
    if name.startswith("/") or _DRIVE.match(name):
        return "it is absolute"
    try:
        components = name.encode("utf-8").split(b"/")
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if b".." in components:
        return "it climbs out of its folder"
    if b"" in components or b"." in components:
        return "it has an empty component"
    if max(map(len, components)) > LONGEST_COMPONENT:
        return f"a component is longer than {LONGEST_COMPONENT} bytes"
    return None


def safe_path(root: Path, name: str) -> Path:
    """The path of `name` below `root`; InputError where it could lie, or lead, anywhere else.

    Refused: absolute names, "..", backslashes, drives, control characters, and names whose way
    below `root` passes through, or ends at, a symbolic link. `root` itself may be a link.
    """
    fault = fault_of_name(name)
    if fault:
        raise InputError(f"{name!r}: refused as a file name: {fault}")
    path = root
    for component in name.split("/"):
        path = path / component
        if path.is_symlink():
            raise InputError(f"{name!r}: refused as a file name: {path} is a symbolic link")
    return path


def safe_paths(root: Path, names: Iterable[str]) -> dict[str, Path]:
    """`safe_path` of every name; InputError also where two of them need the same place.

    Two names collide when they are equal on a file system that ignores case or Unicode form, or
    when one is a folder on the other's way.
    """
    names = list(names)
    refuse_collisions(names)
    return {name: safe_path(root, name) for name in names}


def refuse_collisions(names: Iterable[str]) -> None:
    """InputError for the first two names that cannot stand side by side in one folder."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        place = unicodedata.normalize("NFC", name).casefold()
        other = files.get(place) or folders.get(place)
        parents = [place[:end] for end, character in enumerate(place) if character == "/"]
        for parent in parents:
            other = other or files.get(parent)
            folders.setdefault(parent, name)
        if other is not None:
            raise InputError(f"{name!r}: refused as a file name: it collides with {other!r}")
        files[place] = name
