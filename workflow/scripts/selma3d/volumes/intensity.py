"""The constants of a whole image that normalisation needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PERCENTILES: tuple[float, ...] = (0.1, 1, 5, 25, 50, 75, 95, 99, 99.5, 99.9, 99.99)


@dataclass(frozen=True)
class Intensity:
    """Mean, standard deviation and percentiles of one channel of a whole image, in raw units."""

    mean: float
    sd: float
    percentiles: dict[str, float]

    @classmethod
    def of(cls, image: np.ndarray) -> Intensity:
        """Exact constants of `image`, one channel of any shape."""
        if image.dtype in (np.uint8, np.uint16):
            return cls.from_counts(np.bincount(image.ravel(), minlength=1))
        values = np.percentile(image, PERCENTILES)
        return cls(
            mean=float(image.mean(dtype=np.float64)),
            sd=float(image.std(dtype=np.float64)),
            percentiles=_named(values),
        )

    @classmethod
    def from_counts(cls, counts: np.ndarray) -> Intensity:
        """The same constants from a histogram with one bin an integer grey value, from 0."""
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
        return cls(mean=mean, sd=sd, percentiles=_named(values))

    def to_json(self) -> dict[str, object]:
        """A plain dict for HDF5 attributes and the index."""
        return {"mean": self.mean, "sd": self.sd, "percentiles": self.percentiles}

    @classmethod
    def from_json(cls, stored: dict) -> Intensity:
        """The inverse of `to_json`."""
        return cls(stored["mean"], stored["sd"], dict(stored["percentiles"]))


def _named(values: np.ndarray) -> dict[str, float]:
    return {f"{p:g}": float(v) for p, v in zip(PERCENTILES, values, strict=True)}
