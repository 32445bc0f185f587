"""Tortuous, tapering, branching trees: vessels, processes of microglia, fibres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .geometry import Grid, unit

MARGIN_UM = 20.0
FORK_ANGLE = 0.8  # standard deviation of a child's turn, beside a direction of length 1


@dataclass(frozen=True)
class Habit:
    """How a tree grows; lengths in micrometres.

    A tip turns by a random walk of direction (`persistence` is its length scale), loses radius
    with the length scale `taper`, forks once per `fork_every` on average, and ends below
    `thinnest` or after its own length. Children share the parent's radius by Murray's law
    (the cube of the parent's radius is the sum of the children's cubes; PNAS 12:207, 1926).
    """

    persistence: float
    taper: float
    fork_every: float
    thinnest: float


class Branches(NamedTuple):
    """Densely spaced balls along all branches: centres (n,3), radii (n,), tree number (n,)."""

    centres: np.ndarray
    radii: np.ndarray
    tree: np.ndarray


def grow(
    rng: np.random.Generator,
    grid: Grid,
    habit: Habit,
    roots: np.ndarray,
    directions: np.ndarray,
    radii: np.ndarray,
    lengths: np.ndarray,
    tree: np.ndarray,
) -> Branches:
    """Grow all tips step by step at once until every one has ended or left the field.

    `roots` and `directions` (n,3), `radii`, `lengths` and `tree` (n,); micrometres.
    The step is the finest voxel edge, so that neighbouring balls are neighbouring voxels.
    """
    step = min(grid.voxel_size_um)
    place, heading, radius, left, name = roots, unit(directions), radii, lengths, tree
    grown: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    while len(place):
        grown.append((place, radius, name))
        turn = rng.standard_normal(heading.shape) * np.sqrt(step / habit.persistence)
        heading = unit(heading + turn)
        place = place + step * heading
        radius = radius * (1.0 - step / habit.taper)
        left = left - step
        fork = rng.random(len(place)) < step / habit.fork_every
        share = rng.uniform(0.25, 0.75, len(place))
        sideways = rng.standard_normal(heading.shape) * FORK_ANGLE
        child = np.flatnonzero(fork)
        radius_of_child = radius[child] * np.cbrt(1.0 - share[child])
        radius = np.where(fork, radius * np.cbrt(share), radius)
        place = np.concatenate([place, place[child]])
        heading = np.concatenate([heading, unit(heading[child] + sideways[child])])
        radius = np.concatenate([radius, radius_of_child])
        left = np.concatenate([left, left[child]])
        name = np.concatenate([name, name[child]])
        alive = (left > 0) & (radius > habit.thinnest) & grid.within(place, MARGIN_UM)
        place, heading, radius, left, name = (
            column[alive] for column in (place, heading, radius, left, name)
        )
    if not grown:
        return Branches(np.empty((0, 3)), np.empty(0), np.empty(0, dtype=np.int64))
    return Branches(*(np.concatenate(column) for column in zip(*grown, strict=True)))
