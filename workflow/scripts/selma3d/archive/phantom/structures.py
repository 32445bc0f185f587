"""The labelled structures, as exact voxel truth and the light that they emit.

Emission is relative to the tissue's own glow (1), sizes are micrometres, densities are objects per
cubic millimetre: chosen by eye beside real images of cleared brains, not measured. What is not
labelled may be as bright as what is: form alone tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .geometry import Canvas, random_axes, unit, voxels_inside
from .growth import Branches, Habit, grow
from .smooth import random_field

Range = tuple[float, float]


@dataclass(frozen=True)
class Abundance:
    """How many objects, relative to a kind's own density: labelled ones, and distractors."""

    labelled: float
    distractors: float = 1.0


def vessels(rng: np.random.Generator, canvas: Canvas, many: Abundance) -> None:
    """Branching, tapering, tortuous trees; channel 1 (Evans blue) is dimmer and misses some."""
    count = canvas.count(rng, 6000 * many.labelled, least=6)
    roots = canvas.anywhere(rng, count)
    heading = unit(rng.standard_normal((count, 3)))
    radii = np.clip(rng.lognormal(np.log(3.8), 0.35, count), 2.6, 10.0)
    lengths = rng.uniform(80.0, 300.0, count)
    habit = Habit(persistence=160.0, taper=1200.0, fork_every=150.0, thinnest=1.8)
    halves = [
        grow(rng, canvas.grid, habit, roots, way * heading, radii, lengths, np.arange(count))
        for way in (1, -1)
    ]
    tree = Branches(*(np.concatenate(column) for column in zip(*halves, strict=True)))
    inside = voxels_inside(canvas.grid, tree.centres, tree.radii)
    stain = rng.lognormal(np.log(3.2), 0.45, count)[tree.tree] * np.sqrt(tree.radii / 4.0)
    canvas.paint(inside, stain, labelled=True)
    _blobs(
        rng, canvas, per_mm3=4000 * many.distractors, radius_um=(2.5, 6.0), brightness=(1.0, 4.0)
    )
    if len(canvas.emission) > 1:
        perfused = rng.random(count) > 0.25
        dye = np.where(perfused, rng.lognormal(np.log(0.5), 0.3, count), 0.0)[tree.tree]
        canvas.paint(inside, stain * dye, labelled=True, channel=1)


def cells(rng: np.random.Generator, canvas: Canvas, many: Abundance) -> None:
    """c-Fos-like nuclei of log-normal brightness, some dim, among unlabelled fainter ones."""
    faint = {"radius_um": (4.0, 6.0), "brightness": (0.2, 0.9)}
    _blobs(rng, canvas, per_mm3=70_000 * many.distractors, **faint)
    centres = _clustered(rng, canvas, 20_000 * many.labelled)
    brightness = 1.5 + rng.lognormal(np.log(1.2), 0.7, len(centres))
    _ellipsoids(rng, canvas, centres, (5.0, 7.0), 0.15, brightness)
    _fibres(rng, canvas, per_mm3=500 * many.distractors, brightness=(1.0, 5.0))
    _blobs(
        rng, canvas, per_mm3=150 * many.distractors, radius_um=(10.0, 18.0), brightness=(0.8, 2.0)
    )


def nuclei(rng: np.random.Generator, canvas: Canvas, many: Abundance) -> None:
    """Larger than c-Fos cells, dense, touching, of even brightness; specks of lipofuscin."""
    centres = _clustered(rng, canvas, 70_000 * many.labelled)
    brightness = rng.lognormal(np.log(2.0), 0.3, len(centres))
    _ellipsoids(rng, canvas, centres, (5.5, 8.5), 0.2, brightness)
    _blobs(
        rng, canvas, per_mm3=15_000 * many.distractors, radius_um=(2.0, 3.5), brightness=(1.5, 4.0)
    )


def plaques(rng: np.random.Generator, canvas: Canvas, many: Abundance) -> None:
    """Few and irregular: lobes around a dense core, in a diffuse unlabelled halo."""
    count = canvas.count(rng, 900 * many.labelled, least=3)
    cores = canvas.anywhere(rng, count)
    size = np.clip(rng.lognormal(np.log(13.0), 0.35, count), 7.0, 30.0)
    brightness = rng.lognormal(np.log(2.8), 0.4, count)
    halo = voxels_inside(canvas.grid, cores, 2.2 * size)
    canvas.paint(halo, 0.35 * brightness, labelled=False, softness=1.0)
    plaque = np.repeat(np.arange(count), 9)
    outwards = unit(rng.standard_normal((len(plaque), 3))) * rng.uniform(0.2, 0.8, (len(plaque), 1))
    lobes = voxels_inside(
        canvas.grid,
        cores[plaque] + outwards * size[plaque, None],
        size[plaque, None] * rng.uniform(0.25, 0.6, (len(plaque), 3)),
        random_axes(rng, len(plaque)),
    )
    light = brightness[plaque] * rng.uniform(0.6, 1.0, len(plaque))
    canvas.paint(lobes, light, labelled=True)
    core = voxels_inside(canvas.grid, cores, 0.5 * size)
    canvas.paint(core, 1.6 * brightness, labelled=True)
    _fibres(rng, canvas, per_mm3=300 * many.distractors, brightness=(0.8, 2.5))
    _blobs(
        rng, canvas, per_mm3=3000 * many.distractors, radius_um=(2.5, 5.0), brightness=(1.0, 4.0)
    )


def microglia(rng: np.random.Generator, canvas: Canvas, many: Abundance) -> None:
    """A small bright body with thin, branching processes."""
    count = canvas.count(rng, 14_000 * many.labelled, least=3)
    bodies = canvas.anywhere(rng, count)
    brightness = rng.lognormal(np.log(5.0), 0.35, count)
    _ellipsoids(rng, canvas, bodies, (4.0, 6.0), 0.25, brightness)
    cell = np.repeat(np.arange(count), 5)
    processes = grow(
        rng,
        canvas.grid,
        Habit(persistence=30.0, taper=60.0, fork_every=25.0, thinnest=0.8),
        roots=bodies[cell],
        directions=rng.standard_normal((len(cell), 3)),
        radii=rng.uniform(1.8, 2.6, len(cell)),
        lengths=rng.uniform(12.0, 30.0, len(cell)),
        tree=cell,
    )
    inside = voxels_inside(canvas.grid, processes.centres, processes.radii)
    canvas.paint(inside, 0.7 * brightness[processes.tree], labelled=True)
    _fibres(rng, canvas, per_mm3=300 * many.distractors, brightness=(0.8, 2.5))
    _blobs(
        rng, canvas, per_mm3=3000 * many.distractors, radius_um=(2.5, 5.0), brightness=(1.0, 3.0)
    )


KINDS: dict[str, Callable[[np.random.Generator, Canvas, Abundance], None]] = {
    "vessel": vessels,
    "cell": cells,
    "nucleus": nuclei,
    "plaque": plaques,
    "microglia": microglia,
}


def _clustered(rng: np.random.Generator, canvas: Canvas, per_mm3: float) -> np.ndarray:
    """Random places (n,3), several times as dense in some regions as in others."""
    centres = canvas.anywhere(rng, canvas.count(rng, 1.6 * per_mm3, least=8))
    crowd = random_field(rng, canvas.grid, 100.0)
    z, y, x = np.floor(centres / canvas.grid.voxel_size_um).astype(int).T
    return centres[rng.random(len(centres)) < np.clip(0.62 + 0.3 * crowd[z, y, x], 0.2, 1.0)]


def _ellipsoids(
    rng: np.random.Generator,
    canvas: Canvas,
    centres: np.ndarray,
    radius_um: tuple[float, float],
    elongation: float,
    brightness: np.ndarray,
) -> None:
    """Labelled cell bodies; `elongation` is the log-normal spread of a cell's three radii."""
    count = len(centres)
    radii = rng.uniform(*radius_um, (count, 1)) * np.exp(
        elongation * rng.standard_normal((count, 3))
    )
    inside = voxels_inside(canvas.grid, centres, radii, random_axes(rng, count))
    canvas.paint(inside, brightness, labelled=True)


def _blobs(
    rng: np.random.Generator, canvas: Canvas, per_mm3: float, radius_um: Range, brightness: Range
) -> None:
    """Autofluorescent grains in every channel and in no truth; brightness relative to tissue."""
    count = canvas.count(rng, per_mm3)
    radii = rng.uniform(*radius_um, (count, 1)) * rng.uniform(0.6, 1.4, (count, 3))
    inside = voxels_inside(canvas.grid, canvas.anywhere(rng, count), radii, random_axes(rng, count))
    for channel in range(len(canvas.emission)):
        light = rng.uniform(*brightness, count)
        canvas.paint(inside, light, labelled=False, softness=0.8, channel=channel)


def _fibres(rng: np.random.Generator, canvas: Canvas, per_mm3: float, brightness: Range) -> None:
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
