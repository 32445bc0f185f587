"""MHA as one of the formats that are read."""

from __future__ import annotations

from pathlib import Path

from ...mha import mha_layout
from ..streamed_image import StreamedImage
from . import Format


def open_mha(path: Path, _: bool) -> StreamedImage:
    """An MHA by its header."""
    layout, geometry = mha_layout(path)
    return StreamedImage.of(layout, geometry, layout.axes)


FORMAT = Format((".mha",), open_mha)
