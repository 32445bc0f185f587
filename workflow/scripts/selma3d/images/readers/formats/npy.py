"""NPY: one array of numpy, (Z,Y,X) or (C,Z,Y,X), mapped and never unpickled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ....system.errors import InputError
from ..image_file import ImageFile, canonical, check_channels_first
from . import Format


class NpyImage(ImageFile):
    """A NPY file."""

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        return np.array(self._mapped()[channel, start:stop, rows])

    def load_all(self) -> np.ndarray:
        return np.array(self._mapped())

    def _mapped(self) -> np.ndarray:
        """(C,Z,Y,X), anew each time: a map holds what was read of it."""
        return canonical(np.lib.format.open_memmap(self.path, "r"), self.axes, self.path)


def open_npy(path: Path, _: bool) -> NpyImage:
    """A NPY file by its header; InputError for objects, archives and fewer bytes than stated."""
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            raise InputError(f"{path}: expected one NPY array, found an archive of arrays")
    stored = np.lib.format.open_memmap(path, "r")
    shape = stored.shape
    axes = {3: "ZYX", 4: "CZYX"}.get(len(shape), "?" * len(shape))
    if len(shape) == 4 and shape[3] == 1 != shape[0]:
        axes = "ZYXC"
    if axes == "CZYX":
        check_channels_first(shape, path)
    shape = canonical(stored, axes, path).shape
    return NpyImage(path=path, shape=shape, dtype=stored.dtype, axes=axes)


FORMAT = Format((".npy",), open_npy)
