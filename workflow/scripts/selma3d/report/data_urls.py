"""Data URLs: images inside the page, so that one file is the whole report."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from ..system.errors import InputError

PAGE_PX = 692  # 183 mm
TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


def data_url(path: str | Path) -> str:
    """The file as a data URL. Raises InputError for a file that is missing, or no SVG or PNG."""
    path = Path(path)
    if path.suffix not in TYPES:
        raise InputError(f"{path}: expected an .svg or .png to show in the report")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: expected a figure for the report, found no file") from None
    return f"data:{TYPES[path.suffix]};base64,{base64.b64encode(content).decode('ascii')}"


def width_px(path: str | Path) -> int:
    """The width that a figure is made for, in CSS pixels (96 an inch); PNGs are page-wide."""
    head = Path(path).read_bytes()[:2000].decode("utf-8", "replace")
    points = re.search(r'<svg[^>]* width="([\d.]+)pt"', head)
    return round(float(points[1]) / 72 * 96) if points else PAGE_PX
