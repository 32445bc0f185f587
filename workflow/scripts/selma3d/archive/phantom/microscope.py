"""A light-sheet microscope: from light emitted in the sample to 16-bit images.

Camera counts = offset + gain · Poisson(photons) + read noise, where the photons of a voxel are
what the point-spread function collects, plus haze from planes out of focus, times the light
sheet's uneven illumination and its stripes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy import ndimage

from .geometry import Grid
from .smooth import spread

HAZE_UM = 30.0  # how far light from planes out of focus is spread, standard deviation


@dataclass(frozen=True)
class Condition:
    """How one specimen was stained, cleared and imaged."""

    stain: float  # brightness of the labelled structure, relative
    density: float  # number of objects, relative
    background: float  # tissue's own glow, relative
    texture: float  # contrast of that glow
    photons: float  # collected from a voxel of emission 1
    gain: float  # camera counts a photon
    offset: float  # camera counts in the dark
    read_noise: float  # camera counts, standard deviation
    blur_axial_um: float  # standard deviations of the point-spread function
    blur_lateral_um: float
    haze: float  # share of the light that is spread out of focus
    falloff: float  # light lost across the field, along x
    stripes: float  # standard deviation of the light sheet's shadows


TRAINING: dict[str, tuple[float, float]] = {
    "stain": (0.8, 1.3),
    "density": (0.8, 1.3),
    "background": (0.7, 1.1),
    "texture": (0.10, 0.18),
    "photons": (150.0, 300.0),
    "gain": (4.0, 9.0),
    "offset": (150.0, 300.0),
    "read_noise": (15.0, 30.0),
    "blur_axial_um": (3.0, 4.5),
    "blur_lateral_um": (1.0, 1.6),
    "haze": (0.10, 0.25),
    "falloff": (0.1, 0.3),
    "stripes": (0.01, 0.025),
}
SHIFTED: dict[str, tuple[float, float]] = TRAINING | {
    "stain": (0.7, 1.1),
    "density": (0.6, 1.5),
    "background": (0.8, 1.3),
    "texture": (0.14, 0.22),
    "photons": (110.0, 200.0),
    "gain": (8.0, 20.0),
    "offset": (100.0, 500.0),
    "blur_axial_um": (4.0, 5.5),
    "blur_lateral_um": (1.3, 1.9),
    "haze": (0.18, 0.32),
    "falloff": (0.25, 0.5),
    "stripes": (0.02, 0.045),
}


def draw_condition(rng: np.random.Generator, *, shifted: bool) -> Condition:
    """One specimen's condition; test specimens come from a shifted range."""
    ranges = SHIFTED if shifted else TRAINING
    return Condition(
        **{field.name: rng.uniform(*ranges[field.name]) for field in fields(Condition)}
    )


def expose(
    rng: np.random.Generator, grid: Grid, emission: np.ndarray, condition: Condition
) -> np.ndarray:
    """Image (Z,Y,X) uint16 of an emission (Z,Y,X) float32."""
    sharp = _blur(emission, grid, condition)
    light = (1 - condition.haze) * sharp + condition.haze * spread(emission, grid, HAZE_UM)
    light *= _illumination(rng, grid, condition)
    photons = np.maximum(light * condition.photons, 0.0).astype(np.float64)
    # Sixteenths of a photon: the last bit of a blur may differ between machines, the draws not.
    shots = rng.poisson(np.rint(photons * 16) / 16)
    read = rng.standard_normal(grid.shape, dtype=np.float32) * np.float32(condition.read_noise)
    counts = condition.offset + condition.gain * shots + read
    return np.clip(np.rint(counts), 0, 65535).astype(np.uint16)


def _blur(emission: np.ndarray, grid: Grid, condition: Condition) -> np.ndarray:
    sigma_um = (condition.blur_axial_um, condition.blur_lateral_um, condition.blur_lateral_um)
    sigma = np.divide(sigma_um, grid.voxel_size_um)
    return ndimage.gaussian_filter(emission, sigma, mode="nearest", truncate=3.0)


def _illumination(rng: np.random.Generator, grid: Grid, condition: Condition) -> np.ndarray:
    """Light sheet from the left: it fades along x, and shadows of y and z run along x."""
    across = np.linspace(0, 1, grid.shape[2])
    fade = 1.0 - condition.falloff * across
    shadows = ndimage.gaussian_filter(rng.standard_normal(grid.shape[:2]), (0.7, 0.7))
    shadows = condition.stripes * shadows / max(float(shadows.std()), 1e-6)
    return ((1.0 + shadows)[:, :, None] * fade[None, None, :]).astype(np.float32)
