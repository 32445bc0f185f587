"""Opening of an image of any known format."""

from __future__ import annotations

from pathlib import Path

from ...system.errors import InputError
from ...system.fingerprint import PATTERN
from .formats import extensions, format_of
from .formats.plane_folder import open_pattern
from .image_file import ImageFile, reading


def open_image(path: Path, *, accept_unreadable: bool = False) -> ImageFile:
    """Open a file or folder of any known format; the caller closes it. No voxel is read.

    A name with `*` stands for the planes of one channel among others in a folder.

    accept_unreadable: planes that do not open are left to the caller, in `unreadable`.
    Raises InputError for what is absent, damaged, not 3D, or of no known format.
    """
    path = Path(path)
    if PATTERN in path.name and not path.exists():
        with reading(path):
            return open_pattern(path, accept_unreadable)
    if not path.exists():
        raise InputError(f"{path}: expected an image file, found nothing")
    if not (path.is_file() or path.is_dir()):
        raise InputError(f"{path}: expected a file, found a pipe or device")
    with reading(path):
        known = format_of(path)
        if known is None:
            raise InputError(
                f"{path}: expected an image ({', '.join(extensions())}), found "
                f"{_what(path)} (convert it, or take it out of the folder)"
            )
        return known.open(path, accept_unreadable)


def is_image(path: Path) -> bool:
    """Whether a file or folder has a known format; a folder of planes is no more than a folder."""
    known = format_of(path)
    return known is not None and not (known.is_folder and known.recognises is None)


def _what(path: Path) -> str:
    if path.suffix.lower() in extensions():
        return f"a {path.suffix} file of another kind"
    return f"extension {path.suffix or 'none'!r}"
