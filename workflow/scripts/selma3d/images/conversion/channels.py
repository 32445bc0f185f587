"""Where the channels of a published volume lie."""

from __future__ import annotations

import re
from pathlib import Path

from ...system.errors import InputError
from .patch_sources import inside

CHANNEL_FOLDER = re.compile(r"C\d{2}")


def channel_sources(archive_root: Path, image: str) -> list[Path]:
    """The channels of a volume, in order: its folders C00, C01, …, or the one place it names.

    A volume of which only C01 was published has one channel, and that is its channel 0.
    Raises InputError if there is nothing, or if it lies outside the archive.
    """
    place = inside(archive_root, archive_root / image)
    if not place.exists():
        raise InputError(f"{place}: expected a folder of planes or a TIFF, found nothing")
    if not place.is_dir():
        return [place]
    channels = sorted(c for c in place.iterdir() if CHANNEL_FOLDER.fullmatch(c.name))
    return channels or [place]
