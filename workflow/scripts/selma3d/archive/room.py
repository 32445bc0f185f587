"""Whether the disk holds what is to come, asked before it comes."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..system.errors import InputError
from .progress import amount


def require_room(what: str, size: int, folder: Path, min_free_bytes: int) -> None:
    """InputError if `size` more bytes in `folder` would leave less than `min_free_bytes` free."""
    free = shutil.disk_usage(folder).free
    if free - size < min_free_bytes:
        raise InputError(
            f"{what}: needs {amount(size)} at {folder}, found {amount(free)} free, of which "
            f"{amount(min_free_bytes)} must stay free (free some space, or use another disk)"
        )
