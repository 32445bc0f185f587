"""MHA as one of the formats that are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...mha import mha_header, read_mha
from ..image_file import ImageFile, canonical, canonical_shape, reading
from . import Format


class MhaImage(ImageFile):
    """An MHA file."""

    format = "MHA"
    _whole: np.ndarray | None = None

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        if self._whole is None:
            self._whole = self.read_all()
        return self._whole[channel, start:stop, rows]

    def read_all(self, most_voxels: int | None = None) -> np.ndarray:
        with reading(self.path):
            array, axes, _ = read_mha(self.path, most_voxels)
            return canonical(array, axes, self.path)


def open_mha(path: Path, _: bool) -> MhaImage:
    """An MHA by its header."""
    header = mha_header(path)
    return MhaImage(
        path=path,
        shape=canonical_shape(header.shape, header.axes, path),
        dtype=header.dtype,
        axes=header.axes,
        geometry=header.geometry,
    )


FORMAT = Format("MHA", (".mha",), open_mha)
