"""One field of view while objects are painted into it: exact truth and emitted light."""

from __future__ import annotations

import numpy as np

from .geometry import Grid, Inside


class Canvas:
    """Truth (Z,Y,X) bool and emission (C,Z,Y,X) float32, relative to the tissue's own glow."""

    def __init__(self, grid: Grid, channels: int) -> None:
        self.grid = grid
        self.truth = np.zeros(grid.shape, dtype=bool)
        self.emission = np.zeros((channels, *grid.shape), dtype=np.float32)

    def paint(
        self,
        objects: Inside,
        brightness: np.ndarray,
        *,
        labelled: bool,
        softness: float = 0.4,
        channel: int = 0,
    ) -> None:
        """Let objects emit `brightness` (n,), less by the share `softness` at their surface.

        Where objects overlap the brighter one shows. Only labelled objects enter the truth.
        """
        light = brightness[objects.owner] * (1.0 - softness * objects.depth)
        flat = self.emission[channel].reshape(-1)
        np.maximum.at(flat, objects.voxel, light.astype(np.float32))
        if labelled:
            self.truth.reshape(-1)[objects.voxel] = True

    def count(self, rng: np.random.Generator, per_mm3: float, least: int = 0) -> int:
        """A random number of objects for the field's size."""
        return max(least, int(rng.poisson(per_mm3 * self.grid.volume_mm3)))

    def anywhere(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Uniformly random places (n,3) in the field, micrometres."""
        return rng.random((count, 3)) * self.grid.extent_um
