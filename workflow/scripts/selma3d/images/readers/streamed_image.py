"""Images whose voxels are one run of bytes: small ones are kept whole, large ones streamed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from ..voxel_stream import PlaneStream, VoxelLayout
from .image_file import ImageFile, canonical, reading

KEPT_BYTES = 64 << 20  # an image of fewer is read once and kept


@dataclass(kw_only=True, eq=False)
class StreamedImage(ImageFile):
    """An image that is read a few planes at a time, in their order best.

    layout: of its voxels; None for one that can only be read whole.
    """

    layout: Callable[[], VoxelLayout | None]
    keep_bytes: int = KEPT_BYTES

    def __post_init__(self) -> None:
        super().__post_init__()
        self.chunk = (1, self.shape[2])
        self._whole: np.ndarray | None = None
        self._stream: PlaneStream | None = None

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        stream = self._streamed()
        if stream is not None:
            return stream.planes(channel, start, min(stop, self.shape[1]))[:, rows]
        if self._whole is None:
            self._whole = self.read_all()
        return self._whole[channel, start:stop, rows]

    def read_all(self, most_voxels: int | None = None) -> np.ndarray:
        with reading(self.path):
            array, axes = self.read_stored(most_voxels)
            return canonical(array, axes, self.path)

    @abstractmethod
    def read_stored(self, most_voxels: int | None) -> tuple[np.ndarray, str]:
        """All voxels as stored and a letter for each of their axes."""

    def _streamed(self) -> PlaneStream | None:
        is_large = prod(self.shape) * self.dtype.itemsize > self.keep_bytes
        if self._stream is None and is_large:
            layout = self.layout()
            if layout is not None and layout.can_be_streamed:
                self._stream = PlaneStream(layout)
        return self._stream

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
