"""MHA as one of the formats that are read."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ...mha import mha_header, mha_layout, read_mha
from ..image_file import canonical_shape
from ..streamed_image import StreamedImage
from . import Format


class MhaImage(StreamedImage):
    """An MHA file."""

    format = "MHA"

    def read_stored(self, most_voxels: int | None) -> tuple[np.ndarray, str]:
        return read_mha(self.path, most_voxels)[:2]


def open_mha(path: Path, _: bool) -> MhaImage:
    """An MHA by its header."""
    header = mha_header(path)
    return MhaImage(
        path=path,
        shape=canonical_shape(header.shape, header.axes, path),
        dtype=header.dtype,
        axes=header.axes,
        geometry=header.geometry,
        layout=partial(mha_layout, path),
    )


FORMAT = Format("MHA", (".mha",), open_mha)
