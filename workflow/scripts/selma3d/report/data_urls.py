"""Data URLs: images inside the page, so that one file is the whole report.

Photographs become WebP, which is a fifth as large as PNG and looks the same on a screen; the lines
and letters of a plot stay SVG.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..system.errors import InputError

PAGE_PX = 692  # 183 mm
TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
QUALITY = 75
SMALL = 2000  # bytes; smaller images are icons and colour bars
_PLAIN = " /:;,=()+*!?@$-_.~'[]{}|^"  # need no escape in a quoted attribute of HTML
_INSIDE = re.compile(r"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)")


def data_url(path: str | Path) -> str:
    """The file as a data URL. Raises InputError for a file that is missing, or no SVG or PNG."""
    path = Path(path)
    if path.suffix not in TYPES:
        raise InputError(f"{path}: expected an .svg or .png to show in the report")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: expected a figure for the report, found no file") from None
    if path.suffix == ".svg":
        text = _INSIDE.sub(_smaller, content.decode("utf-8", "replace"))
        # Not in base64, which would make the images inside a third larger once more.
        return f"data:{TYPES['.svg']},{quote(text, safe=_PLAIN)}"
    packed = _as_webp(content)
    return url_of(TYPES[".png"], content) if packed is None else url_of("image/webp", packed)


def size_px(path: str | Path) -> tuple[int, int]:
    """Width and height that a figure is made for, in CSS pixels (96 an inch); PNGs are page-wide.

    Raises InputError for a PNG that cannot be read.
    """
    head = Path(path).read_bytes()[:2000].decode("utf-8", "replace")
    opening = re.search(r"<svg[^>]*>", head)
    found = re.findall(r' (width|height)="([\d.]+)pt"', opening[0]) if opening else []
    sides = {name: round(float(points) / 72 * 96) for name, points in found}
    if {"width", "height"} <= set(sides):
        return sides["width"], sides["height"]
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            return PAGE_PX, round(PAGE_PX * picture.height / picture.width)
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{path}: expected a PNG image, or an SVG with its size in pt") from error


def webp_url(pixels: np.ndarray, quality: int | None) -> str:
    """Pixels as WebP: (rows, columns) or (rows, columns, 3) uint8; quality None: without loss."""
    return url_of("image/webp", _webp(Image.fromarray(pixels), quality))


def _smaller(found: re.Match[str]) -> str:
    """An image inside an SVG, as WebP where that is smaller."""
    try:
        content = base64.b64decode(found[1])
    except binascii.Error:
        return found[0]
    packed = _as_webp(content)
    return found[0] if packed is None else url_of("image/webp", packed)


def _as_webp(content: bytes) -> bytes | None:
    """A PNG as WebP; None where it is no picture, or too small for that to be worth anything."""
    if len(content) < SMALL:
        return None
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            packed = _webp(picture.convert("RGBA" if picture.has_transparency_data else "RGB"))
    except (UnidentifiedImageError, OSError):
        return None
    return packed if len(packed) < len(content) else None


def _webp(picture: Image.Image, quality: int | None = QUALITY) -> bytes:
    stream = io.BytesIO()
    how = {"lossless": True} if quality is None else {"quality": quality}
    picture.save(stream, "WEBP", method=4, **how)
    return stream.getvalue()


def url_of(kind: str, content: bytes) -> str:
    """Bytes of a media type as a data URL."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
