"""Vessels: Sato's ridge filter over several widths, hysteresis threshold, small pieces dropped.

Sato et al., Medical Image Analysis 1998, doi 10.1016/S1361-8415(98)80009-1. The filter's value is
a function of the voxel's surroundings, so it is computed block by block, each with a margin.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cc3d
import numpy as np
from pydantic import Field
from skimage.filters import apply_hysteresis_threshold, sato

from ...challenge.checking import Model

BLOCK = 96  # voxels; eigenvalues of a block with its margin take about 100 bytes a voxel
REACH = 5  # in sigmas: the Gaussian's truncation at four, and the differences


class RidgesGrid(Model):
    """Values to choose from; lengths in voxels."""

    sigmas: tuple[tuple[float, ...], ...] = Field(description="half-widths of vessels, in sets")
    high: tuple[float, ...] = Field(description="percentiles of the response that start a vessel")
    low: tuple[float, ...] = Field(description="percentiles down to which it continues")
    min_voxels: tuple[int, ...] = Field(description="of pieces that are kept")


@dataclass(frozen=True)
class Ridges:
    """A choice of the filter's numbers; lengths in voxels."""

    sigmas: tuple[float, ...]  # half-widths of vessels
    high: float  # percentile of the response that starts a vessel
    low: float  # percentile down to which it continues
    min_voxels: int

    @property
    def filter(self) -> tuple[float, ...]:
        """The numbers that the slow part depends on."""
        return self.sigmas

    def response(self, image: np.ndarray) -> np.ndarray:
        """How much like a bright ridge, float32 (Z,Y,X)."""
        found = np.empty(image.shape, np.float32)
        margin = int(np.ceil(REACH * max(self.sigmas)))
        for corner in itertools.product(*(range(0, length, BLOCK) for length in image.shape)):
            ends = np.minimum(np.add(corner, BLOCK), image.shape)
            starts = np.maximum(np.subtract(corner, margin), 0)
            inner = tuple(map(slice, corner, ends))
            outer = tuple(map(slice, starts, ends + margin))
            ridges = sato(image[outer].astype(np.float32), self.sigmas, black_ridges=False)
            found[inner] = ridges[tuple(map(slice, corner - starts, ends - starts))]
        return found

    def cut(self, response: np.ndarray) -> np.ndarray:
        """Mask uint8 (Z,Y,X)."""
        low, high = np.percentile(response, [self.low, self.high])
        mask = apply_hysteresis_threshold(response, low, high) & (response > 0)
        return cc3d.dust(mask, threshold=self.min_voxels, connectivity=26).astype(np.uint8)

    def finish(self, mask: np.ndarray) -> np.ndarray:
        """Nothing more."""
        return mask
