"""How noisy the voxels of an image are, whatever it shows."""

from __future__ import annotations

import numpy as np

EVERY = 4  # planes: thousands of voxels a block are enough for a median
NORMAL = 1.4826  # sd of a normal distribution / median of its absolute values


def noise(block: np.ndarray) -> float:
    """Standard deviation of the noise of single voxels (Z,Y,X), NaN in planes of a single line.

    From (a - b - c + d) / 2 of four neighbours in the plane, the finest diagonal detail of a Haar
    wavelet: as wide as the noise where that is independent, and blind to all that is straight. The
    median of their sizes makes little of those that lie on edges (Donoho & Johnstone, Biometrika
    1994, doi 10.1093/biomet/81.3.425).
    """
    planes = block[::EVERY].astype(np.float32)
    rows = planes[:, 1:] - planes[:, :-1]
    details = np.abs(rows[:, :, 1:] - rows[:, :, :-1]) / 2
    return NORMAL * float(np.median(details)) if details.size else np.nan


def typical_noise(noises: np.ndarray) -> float:
    """The median of the noise of blocks, as float32 holds it; 0 where it can't be measured."""
    measured = noises[np.isfinite(noises)].astype(np.float32)
    return float(np.median(measured)) if measured.size else 0.0
