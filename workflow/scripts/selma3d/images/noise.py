"""How much the voxels of an image vary by themselves: their noise, and the texture of tissue."""

from __future__ import annotations

import numpy as np

EVERY = 4  # planes: thousands of voxels a block are enough for a median
NORMAL = 1.4826  # sd of a normal distribution / median of its absolute values
TEXTURE = 12  # voxels apart: further than a cell is wide, nearer than tissue changes


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
