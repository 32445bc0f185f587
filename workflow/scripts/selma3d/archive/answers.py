"""Answers of an archive's own interface: fetched within bounds, their names and sizes checked."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..system.errors import InputError
from ..system.limits import limit
from ..system.paths import fault_of_name
from .connections import Connections
from .download import Downloader, DownloadSettings
from .manifest import Entry


@contextmanager
def asking(settings: DownloadSettings) -> Iterator[Callable[[str, Sequence[str]], bytes]]:
    """A function from a name and its addresses to the answer of the first that gives one.

    It raises InputError where none does, or where an answer is larger than a listing may be.
    """
    with tempfile.TemporaryDirectory() as folder:
        downloader = Downloader(
            Connections(settings.per_host, settings.timeout_s),
            settings,
            Path(folder),
            lambda path, size, new: None,
            threading.Event(),
            most_bytes=limit("TABLE_BYTES"),
        )

        def answer(name: str, addresses: Sequence[str]) -> bytes:
            part, _ = downloader.download(Entry(name), addresses)
            return part.file.read_bytes()

        yield answer


def name_of(file: Any, key: str, where: str) -> str:
    """The name of a listed file, which stands under `key`. Raises InputError for a refused one."""
    name = file.get(key) if isinstance(file, dict) else None
    if not isinstance(name, str):
        raise InputError(f"{where}: expected a file with a {key}, found {str(file)[:80]}")
    fault = fault_of_name(name)
    if fault:
        raise InputError(f"{where}: {key} {name!r} is refused: {fault}")
    return name


def size_of(file: dict[str, Any], name: str, where: str) -> int:
    """The size of a listed file, in bytes. Raises InputError where it is no whole number."""
    size = file.get("size")
    if type(size) is not int or size < 0:
        raise InputError(f"{where}: {name}: size: expected a whole number, found {size!r}")
    return size
