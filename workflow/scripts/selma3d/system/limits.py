"""Limits of the memory and the number of parts that a file may ask for.

Every reader first finds out how much a file promises to hold, and compares that with a limit here
before anything is allocated. An environment variable `SELMA3D_<NAME>` replaces a limit, such as
`SELMA3D_IMAGE_BYTES=100e9`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

from .errors import InputError

DEFAULTS = {
    "IMAGE_BYTES": 64e9,  # of one image or array in memory
    "UNPACKED_FREELY": 128e6,  # bytes that a packed file may become whatever its own size
    "UNPACKED_RATIO": 256,  # beyond them: bytes for each byte of the packed file
    "CHUNK_BYTES": 128e6,  # of one chunk of an HDF5 dataset
    "PAGES": 50_000,  # of one TIFF; also the planes that its metadata speak of
    "TAG_VALUES": 1 << 20,  # numbers in one tag of a TIFF
    "TEXT_BYTES": 16e6,  # of a description in a TIFF, a settings file, a predictions.json
    "TABLE_BYTES": 256e6,  # of a manifest, a listing, a table
    "NODES": 200_000,  # values in a settings file, each alias counted with all that it stands for
    "DEPTH": 50,  # of nested lists and mappings
    "MEMBERS": 100_000,  # of an archive that is unpacked
    "PATCHES": 2_000_000,  # files of a collection, in folders or in a tar that is not unpacked
    "PATCH_BYTES": 2e9,  # of the voxels of one patch of a collection
    "HEADER_BYTES": 1 << 18,  # of an extended header of a tar
    "UNPACKED_ARCHIVE": 1e9,  # bytes that an archive may become whatever its own size
    "WINDOW_VOXELS": 1 << 24,  # that a model sees at a time
}
SPARE_VOXELS = 1 << 24  # masks up to this size are read whatever their case, to tell their shape
OUT_OF_PROPORTION = (MemoryError, RecursionError, OverflowError)


def limit(name: str) -> int:
    """A limit, as the environment or else this module states it. Raises InputError."""
    variable = f"SELMA3D_{name}"
    text = os.environ.get(variable)
    if text is None:
        return int(DEFAULTS[name])
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        raise InputError(f"{variable}: expected a number, found {text!r}") from None


def check_limit(where: str | Path, what: str, promised: int, name: str) -> None:
    """Raise InputError where more is promised than a limit allows; `where` begins the line."""
    most = limit(name)
    if promised > most:
        raise InputError(_line(where, f"at most {most} {what}", promised, name))


def check_size(
    path: str | Path,
    shape: Iterable[int],
    itemsize: int,
    *,
    packed: int | None = None,
    most_voxels: int | None = None,
) -> int:
    """The bytes that an array will take; InputError where they are too many.

    packed: bytes that it is unpacked from, if it is. most_voxels: what the caller expects at most,
    such as several times those of the image that a mask belongs to.
    """
    voxels = prod(int(length) for length in shape)
    if most_voxels is not None and voxels > most_voxels:
        raise InputError(
            f"{path}: expected at most {most_voxels} voxels, a multiple of those of the image that "
            f"it belongs to, found a promise of {voxels} (is it the right file?)"
        )
    size = voxels * itemsize
    check_limit(path, "bytes of voxels", size, "IMAGE_BYTES")
    if packed is not None:
        check_ratio(path, size, packed, "UNPACKED_FREELY")
    return size


def check_ratio(where: str | Path, promised: int, packed: int, freely: str) -> None:
    """Raise InputError where few packed bytes stand for very many."""
    if promised > most_unpacked(packed, freely):
        expected = f"at most {limit('UNPACKED_RATIO')} bytes from each of {packed} packed ones"
        raise InputError(_line(where, expected, promised, "UNPACKED_RATIO"))


def most_unpacked(packed: int, freely: str) -> int:
    """The bytes that so many packed ones may become."""
    return max(limit(freely), limit("UNPACKED_RATIO") * packed)


def _line(where: str | Path, expected: str, promised: int, name: str) -> str:
    return (
        f"{where}: expected {expected}, found a promise of {promised} (refused unread; if it is "
        f"right, set SELMA3D_{name} higher)"
    )


def check_file(path: Path, what: str, name: str | None = None) -> int:
    """The size of a file; InputError for a folder, pipe or device, and beyond a limit.

    An absent file has size 0: the code that opens it reports it.
    """
    if not path.exists():
        return 0
    if not path.is_file():
        raise InputError(f"{path}: expected {what}, found a folder, pipe or device")
    size = path.stat().st_size
    if name is not None:
        check_limit(path, f"bytes in {what}", size, name)
    return size


@contextmanager
def proportionate(path: str | Path, what: str) -> Iterator[None]:
    """Turn errors by which a file's content overwhelms its reader into one line that names it."""
    try:
        yield
    except OUT_OF_PROPORTION as error:
        told = {
            MemoryError: "more than fits into memory",
            RecursionError: "too many levels, one in the other",
        }
        found = next((text for kind, text in told.items() if isinstance(error, kind)), None)
        raise InputError(
            f"{path}: expected {what}, found {found or f'a number out of range ({error})'}"
        ) from None
    except UnicodeError as error:
        raise InputError(f"{path}: expected {what} in UTF-8, found other bytes ({error})") from None
