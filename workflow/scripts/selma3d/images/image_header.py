"""Header of an image file, as far as every format has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import Geometry


@dataclass(frozen=True)
class ImageHeader:
    """What a header says of an image: lengths and a letter for each axis as stored, type, place.

    packed_bytes: what the voxels are unpacked from; None where they are not packed.
    """

    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype
    geometry: Geometry | None
    packed_bytes: int | None
