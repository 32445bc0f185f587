"""Spots: white top-hat, Otsu's threshold, watershed between touching cells.

Otsu, IEEE Transactions on Systems, Man, and Cybernetics 1979, doi 10.1109/TSMC.1979.4310076;
watershed on the distance transform as in Vincent & Soille, IEEE TPAMI 1991, doi 10.1109/34.87344.
"""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
from pydantic import Field
from scipy.ndimage import distance_transform_edt, gaussian_filter, grey_opening, maximum_filter
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from ...challenge.checking import Model

APART = 3  # voxels between the centres of two cells, at least


class SpotsGrid(Model):
    """Values to choose from; lengths in voxels."""

    sigma: tuple[float, ...] = Field(description="widths of the smoothing")
    width: tuple[int, ...] = Field(description="edges of the top-hat's cube")
    factor: tuple[float, ...] = Field(description="multiples of Otsu's threshold")
    min_voxels: tuple[int, ...] = Field(description="of spots that are kept")


@dataclass(frozen=True)
class Spots:
    """A choice of the filters' numbers; lengths in voxels."""

    sigma: float  # of the smoothing
    width: int  # of the top-hat's cube: structures wider than this are background
    factor: float  # on Otsu's threshold, which background pulls down where cells are few
    min_voxels: int

    @property
    def filter(self) -> tuple[float, int]:
        """The numbers that the slow part depends on."""
        return self.sigma, self.width

    def response(self, image: np.ndarray) -> np.ndarray:
        """Brightness above the surroundings, float32 (Z,Y,X)."""
        smooth = gaussian_filter(image.astype(np.float32), self.sigma)
        return smooth - grey_opening(smooth, size=self.width)

    def cut(self, response: np.ndarray) -> np.ndarray:
        """Mask uint8 (Z,Y,X), cells that touch still in one piece."""
        if response.max() == response.min():
            return np.zeros(response.shape, np.uint8)
        mask = (response > self.factor * threshold_otsu(response)).astype(np.uint8)
        return cc3d.dust(mask, threshold=self.min_voxels, connectivity=26)

    def finish(self, mask: np.ndarray) -> np.ndarray:
        """The mask with a voxel of background between cells that touch."""
        # The distance has plateaus, each of many equal peaks; smoothed it has one a cell.
        depth = gaussian_filter(distance_transform_edt(mask).astype(np.float32), 1.0)
        peaks = (mask > 0) & (depth == maximum_filter(depth, size=2 * APART + 1))
        seeds = cc3d.connected_components(peaks, connectivity=26)
        return (watershed(-depth, seeds, mask=mask > 0, watershed_line=True) > 0).astype(np.uint8)
