"""The constants of a whole image that normalisation needs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.ndimage import find_objects

from ..system.errors import InputError
from .occupancy import blocks_of, noise, texture, typical

PERCENTILES: tuple[float, ...] = (0.1, 1, 5, 25, 50, 75, 95, 99, 99.5, 99.9, 99.99)


@dataclass(frozen=True)
class Intensity:
    """Mean, standard deviation, noise, texture and percentiles of one channel of a whole image.

    In raw units. `noise` is the standard deviation of a single voxel's noise (`occupancy.noise`),
    `texture` that of voxels 12 apart (`occupancy.texture`), each the median over 32³ blocks.
    """

    mean: float
    sd: float
    noise: float
    texture: float
    percentiles: dict[str, float]

    @classmethod
    def of(cls, image: np.ndarray) -> Intensity:
        """Exact constants of `image` (Z,Y,X), one channel, without padding (if it is not all)."""
        inside = without_padding(image)
        image = inside if inside.size else image
        blocks = [image[region] for region in blocks_of(image.shape)]
        details = np.array([(noise(block), texture(block)) for block in blocks])
        if image.dtype in (np.uint8, np.uint16):
            return cls.from_counts(np.bincount(image.ravel(), minlength=1), details)
        values = np.percentile(image, PERCENTILES)
        return cls(
            mean=float(image.mean(dtype=np.float64)),
            sd=float(image.std(dtype=np.float64)),
            noise=typical(details[..., 0]),
            texture=typical(details[..., 1]),
            percentiles=_named(values),
        )

    @classmethod
    def from_counts(cls, counts: np.ndarray, details: np.ndarray) -> Intensity:
        """The same from a histogram with a bin an integer grey value.

        details: (..., 2), noise and texture of each block.
        """
        counts = np.asarray(counts, dtype=np.int64)
        grey = np.arange(len(counts), dtype=np.float64)
        total = int(counts.sum())
        mean = float((grey * counts).sum() / total)
        sd = float(np.sqrt((counts * (grey - mean) ** 2).sum() / total))
        ranks = np.asarray(PERCENTILES) / 100 * (total - 1)
        cumulated = np.cumsum(counts)
        below = np.searchsorted(cumulated, np.floor(ranks), side="right")
        above = np.searchsorted(cumulated, np.ceil(ranks), side="right")
        values = below + (above - below) * (ranks - np.floor(ranks))
        return cls(
            mean=mean,
            sd=sd,
            noise=typical(details[..., 0]),
            texture=typical(details[..., 1]),
            percentiles=_named(values),
        )

    def to_json(self) -> dict[str, float | dict[str, float]]:
        """A plain dict for HDF5 attributes and the index."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Intensity:
        """The inverse of `to_json`. Raises InputError for constants of an earlier version."""
        if missing := {"noise", "texture"} - set(stored):
            raise InputError(
                f"intensity: {max(missing)}: expected a number, found {sorted(stored)} "
                "(converted by an earlier version: delete the file, and convert again)"
            )
        constants = (stored[key] for key in ("mean", "sd", "noise", "texture"))
        return cls(*constants, percentiles=dict(stored["percentiles"]))


def _named(values: np.ndarray) -> dict[str, float]:
    return {f"{p:g}": float(v) for p, v in zip(PERCENTILES, values, strict=True)}


def without_padding(image: np.ndarray) -> np.ndarray:
    """The part of an image (Z,Y,X) between planes of zeros at its faces."""
    if all(np.take(image, end, axis).any() for axis in range(3) for end in (0, -1)):
        return image
    found = find_objects((image != 0).view(np.uint8))
    return image[found[0]] if found else image[:0]
