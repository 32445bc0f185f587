"""Statistics of 32³ blocks: grey values, noise, texture, and a threshold between air and tissue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

BLOCK = 32
BINS = 128
SMALLEST_CLASS = 0.01
DEEPEST_VALLEY = 0.5
EVERY = 4  # planes: thousands of voxels a block are enough for a median
NORMAL = 1.4826  # sd of a normal distribution / median of its absolute values
TEXTURE = 12  # voxels apart: further than a cell is wide, nearer than tissue changes


def block_statistics(slab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean, 99th percentile, noise, texture of each 32³ block of a (Z,Y,X) slab; its histogram.

    Returns float32 (z, y, x, 4) in raw units, where blocks at the far edges hold what is there
    and the percentile is the order statistic below the exact rank; and the counts of each grey
    value, int64. `slab` is uint8 or uint16.
    """
    blocks = tuple(-(-size // BLOCK) for size in slab.shape)
    statistics = np.empty((*blocks, 4), dtype=np.float32)
    counts = np.zeros(np.iinfo(slab.dtype).max + 1, dtype=np.int64)
    for index, region in zip(np.ndindex(blocks), blocks_of(slab.shape), strict=True):
        block = slab[region]
        values = block.ravel()
        histogram = np.bincount(values)
        counts[: len(histogram)] += histogram
        rank = int(0.99 * (values.size - 1))
        bright = np.searchsorted(np.cumsum(histogram), rank, side="right")
        mean = values.mean(dtype=np.float64)
        statistics[index] = mean, bright, noise(block), texture(block)
    return statistics, counts


def blocks_of(shape: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """The regions of the 32³ blocks of an image (Z,Y,X), in C order."""
    for index in np.ndindex(*(-(-size // BLOCK) for size in shape)):
        yield tuple(slice(i * BLOCK, (i + 1) * BLOCK) for i in index)


def air_threshold(means: np.ndarray) -> float:
    """The block mean at or below which a block is air; -inf where that is not clear.

    The histogram of logarithmic block means must have two classes of at least 1 % of the
    blocks each, and a valley between them at most half as high as the lower of their peaks.
    """
    # Only conversions come here; every training would pay a third of a second for it.
    from scipy.ndimage import gaussian_filter1d

    floor = float(means.min())
    logarithms = np.log1p(means.astype(np.float64).ravel() - floor)
    if logarithms.max() <= 0:
        return -np.inf
    counts, edges = np.histogram(logarithms, bins=BINS)
    smooth = gaussian_filter1d(counts.astype(np.float64), sigma=BINS / 40, mode="constant")
    peaks = _peaks(smooth)
    if len(peaks) < 2:
        return -np.inf
    low, high = sorted(peaks[np.argsort(smooth[peaks])[-2:]])
    valley = low + int(np.argmin(smooth[low : high + 1]))
    threshold = edges[valley + 1]
    air_share = float((logarithms <= threshold).mean())
    clear = (
        smooth[valley] <= DEEPEST_VALLEY * min(smooth[low], smooth[high])
        and SMALLEST_CLASS <= air_share <= 1 - SMALLEST_CLASS
    )
    return float(np.expm1(threshold) + floor) if clear else -np.inf


def _peaks(heights: np.ndarray) -> np.ndarray:
    padded = np.concatenate([[-1.0], heights, [-1.0]])
    return np.flatnonzero((padded[1:-1] > padded[:-2]) & (padded[1:-1] >= padded[2:]))


def noise(block: np.ndarray) -> float:
    """Standard deviation of the noise of single voxels (Z,Y,X), NaN in planes of a single line."""
    return _detail(block, apart=1)


def texture(block: np.ndarray) -> float:
    """The same of voxels 12 apart (Z,Y,X): noise and the grain of tissue; NaN in narrower planes.

    Half of the tissue has to vary for it to grow: sparse cells, however bright, leave it alone.
    """
    return _detail(block, apart=TEXTURE)


def _detail(block: np.ndarray, apart: int) -> float:
    """From (a - b - c + d) / 2 of the corners of a square in the plane.

    As wide as the noise where that is independent, and blind to all that is straight: of direct
    neighbours it is the finest diagonal detail of a Haar wavelet. The median of their sizes
    makes little of those that lie on edges (Donoho & Johnstone, Biometrika 1994, doi
    10.1093/biomet/81.3.425).
    """
    planes = block[::EVERY].astype(np.float32)
    rows = planes[:, apart:] - planes[:, :-apart]
    details = np.abs(rows[:, :, apart:] - rows[:, :, :-apart]) / 2
    return NORMAL * float(np.median(details)) if details.size else np.nan


def typical(measured: np.ndarray) -> float:
    """The median over blocks, as float32 holds it; 0 where it can't be measured."""
    finite = measured[np.isfinite(measured)].astype(np.float32)
    return float(np.median(finite)) if finite.size else 0.0
