"""NPY: one array of numpy, (Z,Y,X) or (C,Z,Y,X), mapped and never unpickled."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np

from ....system.errors import InputError
from ....system.limits import check_size
from ..image_file import ImageFile, canonical, canonical_shape, check_channels_first
from . import Format


class NpyImage(ImageFile):
    """A NPY file."""

    mapped: Callable[[], np.ndarray]  # (C,Z,Y,X), anew each time: a map holds what was read of it

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        return np.array(self.mapped()[channel, start:stop, rows])

    def load_all(self) -> np.ndarray:
        return np.array(self.mapped())


def open_npy(path: Path, _: bool) -> NpyImage:
    """A NPY file by its header; InputError for objects, archives and fewer bytes than stated."""
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            raise InputError(f"{path}: expected one NPY array, found an archive of arrays")
        file.seek(0)
        version = np.lib.format.read_magic(file)
        first = version == (1, 0)
        read_header = (
            np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read_header(file)
        start = file.tell()
    if dtype.hasobject:
        raise InputError(f"{path}: expected numbers, one a voxel, found type {dtype}")
    size, found = prod(shape) * dtype.itemsize, path.stat().st_size - start
    if found < size:
        check_size(path, shape, dtype.itemsize)
        raise EOFError(f"{size} bytes of voxels by its header, {found} there")
    axes = {3: "ZYX", 4: "CZYX"}.get(len(shape), "?" * len(shape))
    if len(shape) == 4 and shape[3] == 1 != shape[0]:
        axes = "ZYXC"
    if axes == "CZYX":
        check_channels_first(shape, path)
    order = "F" if fortran else "C"

    def mapped() -> np.ndarray:
        if size == 0:
            return np.empty(shape, dtype)
        return np.memmap(path, dtype, "r", offset=start, shape=shape, order=order)

    image = NpyImage(path=path, shape=canonical_shape(shape, axes, path), dtype=dtype, axes=axes)
    image.mapped = lambda: canonical(mapped(), axes, path)
    return image


FORMAT = Format((".npy",), open_npy)
