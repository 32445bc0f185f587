"""A picture of a mask on its image: three planes through the place with the most of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..images.storage import ArrayOnDisk, VoxelSize
from ..system.atomic import publish

CONTRAST = (1.0, 99.7)  # percentiles of a plane that are shown black and white
LONGEST = 1024  # pixels of a picture's side; larger planes are thinned out
AXES = ("z", "y", "x")


def draw_overlay(
    image: ArrayOnDisk, mask: ArrayOnDisk, path: Path, voxel_size_um: VoxelSize | None
) -> None:
    """Draw one channel (Z,Y,X) in grey and the outline of its mask in red as PNG.

    The planes are those with the most foreground, each along another axis; where there is none,
    those in the middle.
    """
    place = _densest(mask)
    size = voxel_size_um or (1.0, 1.0, 1.0)
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    for axis, panel in enumerate(figure.subplots(1, 3)):
        rows, columns = (other for other in range(3) if other != axis)
        grey, outline = (_plane(source, axis, place[axis]) for source in (image, mask))
        low, high = np.percentile(grey, CONTRAST)
        panel.imshow(
            grey, cmap="gray", vmin=low, vmax=max(high, low + 1), aspect=size[rows] / size[columns]
        )
        if outline.any() and not outline.all():
            panel.contour(outline, levels=[0.5], colors="red", linewidths=0.8)
        panel.set_title(f"{AXES[axis]} = {place[axis]}", fontsize=10)
        panel.set_xlabel(AXES[columns])
        panel.set_ylabel(AXES[rows])
        panel.set_xticks([])
        panel.set_yticks([])
    with publish(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def _densest(mask: ArrayOnDisk) -> list[int]:
    """The plane along each axis with the most foreground; the middle ones of an empty mask."""
    sums = [np.zeros(length, np.int64) for length in mask.shape]
    for start in range(0, mask.shape[0], 64):
        part = np.asarray(mask[start : start + 64]) > 0
        sums[0][start : start + len(part)] = part.sum((1, 2))
        sums[1] += part.sum((0, 2))
        sums[2] += part.sum((0, 1))
    if not sums[0].any():
        return [length // 2 for length in mask.shape]
    return [int(along.argmax()) for along in sums]


def _plane(source: ArrayOnDisk, axis: int, place: int) -> np.ndarray:
    box = [slice(None)] * 3
    box[axis] = slice(place, place + 1)
    plane = np.asarray(source[tuple(box)]).squeeze(axis).astype(np.float32)
    step = max(1, -(-max(plane.shape) // LONGEST))
    return plane[::step, ::step]
