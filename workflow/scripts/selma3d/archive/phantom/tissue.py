"""Tissue of synthetic animals, dark or glowing by itself, and the air around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import Grid
from .smooth import random_field

RIM_UM = 15.0
RIM_GLOW = 0.5


@dataclass(frozen=True)
class Tissue:
    """Where tissue is, (Z,Y,X) bool, and how strongly it glows by itself, float32, mean near 1."""

    inside: np.ndarray
    glow: np.ndarray


def tissue(rng: np.random.Generator, grid: Grid, air: float, texture: float) -> Tissue:
    """Tissue under a tilted, wavy surface that glows more; `air` (share) of the field is above.

    `texture` is the contrast of the layers; that of the neuropil's grain is half of it.
    """
    below = _below_surface_um(rng, grid, air)
    layers = random_field(rng, grid, 120.0)
    grain = random_field(rng, grid, 8.0)
    glow = np.maximum(1.0 + texture * (layers + 0.5 * grain), 0.2)
    glow *= 1.0 + RIM_GLOW * np.clip(1.0 - below / RIM_UM, 0.0, 1.0)
    glow *= below > 0
    return Tissue(below > 0, glow)


def _below_surface_um(rng: np.random.Generator, grid: Grid, air: float) -> np.ndarray:
    """Depth below the tissue's surface, (Z,Y,X) float32 micrometres, negative in air."""
    plane = Grid((1, *grid.shape[1:]), grid.voxel_size_um)
    waves = 0.5 * random_field(rng, plane, 150.0)[0]
    y, x = (np.linspace(-1.0, 1.0, size) for size in grid.shape[1:])
    tilt = rng.uniform(-1, 1) * y[:, None] + rng.uniform(-1, 1) * x[None, :]
    surface = grid.extent_um[0] * (air + 0.08 * (waves + tilt))
    depth = (np.arange(grid.shape[0]) + 0.5) * grid.voxel_size_um[0]
    return (depth[:, None, None] - surface[None]).astype(np.float32)
