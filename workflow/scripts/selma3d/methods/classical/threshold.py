"""A baseline: smooth, threshold, drop specks."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
from pydantic import Field
from scipy.ndimage import gaussian_filter

from ...challenge.checking import Model


class ThresholdGrid(Model):
    """Values to choose from."""

    sigmas: tuple[float, ...] = Field(min_length=1, description="widths of the smoothing, voxels")
    percentiles: tuple[float, ...] = Field(min_length=1, description="of the smoothed image")
    min_voxels: tuple[int, ...] = Field(min_length=1, description="of components that are kept")


@dataclass(frozen=True)
class Threshold:
    """A choice of the baseline's numbers; a percentile, so that gain and background drop out."""

    sigma: float  # voxels
    percentile: float  # of the smoothed image: what is brighter is foreground
    min_voxels: int

    @property
    def filter(self) -> float:
        """The number that the slow part depends on."""
        return self.sigma

    def response(self, image: np.ndarray) -> np.ndarray:
        """Gaussian-smoothed brightness, float32 (Z,Y,X)."""
        return gaussian_filter(image.astype(np.float32), self.sigma)

    def cut(self, response: np.ndarray) -> np.ndarray:
        """Mask uint8 (Z,Y,X)."""
        mask = (response > np.percentile(response, self.percentile)).astype(np.uint8)
        return cc3d.dust(mask, threshold=self.min_voxels, connectivity=26)

    def finish(self, mask: np.ndarray) -> np.ndarray:
        """Nothing more."""
        return mask
