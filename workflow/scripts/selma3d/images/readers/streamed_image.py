"""Images whose voxels are one run of bytes: small ones are kept whole, large ones streamed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from math import prod
from typing import Self

import numpy as np

from ..geometry import Geometry
from ..voxel_stream import PlaneStream, VoxelLayout
from .image_file import ImageFile, canonical, canonical_shape

KEPT_BYTES = 64 << 20  # an image of fewer is read once and kept


@dataclass(kw_only=True, eq=False)
class StreamedImage(ImageFile):
    """An image that is read a few planes at a time, in their order best; layout: of its voxels."""

    layout: VoxelLayout
    keep_bytes: int = KEPT_BYTES

    def __post_init__(self) -> None:
        super().__post_init__()
        self.chunk = (1, self.shape[2])
        self._whole: np.ndarray | None = None
        self._stream: PlaneStream | None = None

    @classmethod
    def of(cls, layout: VoxelLayout, geometry: Geometry | None, axes: str) -> Self:
        """The image of a layout; axes: a letter for each, in the file's own order."""
        shape = layout.shape if axes == layout.axes else layout.shape[::-1]
        return cls(
            path=layout.path,
            shape=canonical_shape(shape, axes, layout.path),
            dtype=layout.dtype if layout.scaling is None else np.dtype(np.float64),
            axes=axes,
            geometry=geometry,
            packed_bytes=layout.packed_bytes,
            layout=layout,
        )

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        is_large = prod(self.shape) * self.dtype.itemsize > self.keep_bytes
        if is_large and self.layout.can_be_streamed:
            self._stream = self._stream or PlaneStream(self.layout)
            return self._stream.planes(channel, start, min(stop, self.shape[1]))[:, rows]
        if self._whole is None:
            self._whole = self.read_all()
        return self._whole[channel, start:stop, rows]

    def load_all(self) -> np.ndarray:
        with closing(PlaneStream(self.layout)) as stream:
            return canonical(stream.whole(), self.layout.axes, self.path)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
