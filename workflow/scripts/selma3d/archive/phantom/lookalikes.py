"""What glows beside the labelled structure, and is not in the truth.

Real images hold them, and they are why no single threshold separates the structure.
"""

from __future__ import annotations

import numpy as np

from .canvas import Canvas
from .geometry import random_axes, voxels_inside
from .growth import Habit, grow

Range = tuple[float, float]


def blobs(
    rng: np.random.Generator, canvas: Canvas, per_mm3: float, radius_um: Range, brightness: Range
) -> None:
    """Autofluorescent grains, in every channel; brightness relative to the tissue's glow."""
    count = canvas.count(rng, per_mm3)
    radii = rng.uniform(*radius_um, (count, 1)) * rng.uniform(0.6, 1.4, (count, 3))
    inside = voxels_inside(canvas.grid, canvas.anywhere(rng, count), radii, random_axes(rng, count))
    for channel in range(len(canvas.emission)):
        light = rng.uniform(*brightness, count)
        canvas.paint(inside, light, labelled=False, softness=0.8, channel=channel)


def fibres(rng: np.random.Generator, canvas: Canvas, per_mm3: float, brightness: Range) -> None:
    """Short, unbranched autofluorescent fibres."""
    count = canvas.count(rng, per_mm3)
    grown = grow(
        rng,
        canvas.grid,
        Habit(persistence=150.0, taper=400.0, fork_every=np.inf, thinnest=0.5),
        roots=canvas.anywhere(rng, count),
        directions=rng.standard_normal((count, 3)),
        radii=rng.uniform(1.0, 2.5, count),
        lengths=rng.uniform(30.0, 120.0, count),
        tree=np.arange(count),
    )
    light = rng.uniform(*brightness, count)[grown.tree]
    canvas.paint(voxels_inside(canvas.grid, grown.centres, grown.radii), light, labelled=False)
