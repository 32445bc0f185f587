"""What is exported: an array (Z,Y,X) in memory or on disk, read a part at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from ..images.storage import CHUNK

Source = np.ndarray | h5py.Dataset


def planes(source: Source, folder: Path) -> Iterator[np.ndarray]:
    """The planes (Y,X) of `source`, each chunk on disk read once.

    A layer of chunks may be larger than the memory: it is unpacked into a file in `folder`.
    """
    depth, height, width = source.shape
    with tempfile.TemporaryFile(dir=folder) as room:
        layer = np.memmap(room, source.dtype, "w+", shape=(min(CHUNK, depth), height, width))
        for start in range(0, depth, CHUNK):
            stop = min(start + CHUNK, depth)
            for y in range(0, height, CHUNK):
                layer[: stop - start, y : y + CHUNK] = source[start:stop, y : y + CHUNK]
            yield from layer[: stop - start]
