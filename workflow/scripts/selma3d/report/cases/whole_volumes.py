"""Stacks of whole volumes for the viewer on the page: at reduced resolution, with masks over them.

A volume is read in blocks, so that memory follows the block. Of each few planes the brightest is
kept, of each few rows and columns the mean; of a mask, the share of voxels that it covers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import numpy as np

from ...images import SegmentationFile, VolumeFile
from ...system.atomic import publish
from ...system.errors import InputError
from ..data_urls import webp_url
from ..shown import ShownVolume
from . import views
from .stacks import QUALITY, steps_of, strip_of

LARGEST = (72, 160, 160)  # planes, rows, columns; a strip of WebP is 16,383 pixels high at most
BLOCK = 256  # voxels along an edge, about
COVERED = 128  # of a mask's strip: from here on a voxel holds some of it

Box = tuple[slice, slice, slice]


def write_volume_stack(shown: ShownVolume, path: str | Path) -> None:
    """Write a volume and its masks, reduced to at most LARGEST voxels, as JSON.

    Raises InputError for a mask of another shape than the volume.
    """
    with ExitStack() as stack:
        volume = stack.enter_context(VolumeFile(shown.volume_h5))
        shape, size = volume.shape, volume.voxel_size_um
        steps = steps_of(shape, LARGEST)
        image = reduced(lambda box: volume.read(shown.channel, box), shape, steps, brightest=True)
        masks = []
        for entrant, file in shown.masks.items():
            mask = stack.enter_context(SegmentationFile(file))
            if mask.shape != shape:
                raise InputError(
                    f"{file}: expected a mask of {shape} voxels, as {shown.volume_h5} has, "
                    f"found {mask.shape}"
                )
            masks.append({"entrant": list(entrant), "strip": _mask_url(mask, steps)})
        content = {
            "structure": shown.structure,
            "sample": shown.sample,
            "specimen": volume.specimen,
            "full_shape": list(shape),
            "shape": list(image.shape),
            "steps": list(steps),
            "voxel_um": None if size is None else [s * n for s, n in zip(size, steps, strict=True)],
            "image": webp_url(strip_of(np.round(255 * views.grey(image))), quality=QUALITY),
            "masks": masks,
        }
    with publish(path) as temporary:
        temporary.write_text(json.dumps(content))


def reduced(
    read: Callable[[Box], np.ndarray],
    shape: Sequence[int],
    steps: Sequence[int],
    *,
    brightest: bool,
) -> np.ndarray:
    """(Z,Y,X) float32: of each `steps` voxels the mean, along z the largest where `brightest`.

    read: the (Z,Y,X) values in a box; shape: of all. What is left over at an end counts alone.
    """
    small = np.empty([-(-n // step) for n, step in zip(shape, steps, strict=True)], np.float32)
    edges = [step * max(1, BLOCK // step) for step in steps]
    for corner in product(*(range(0, n, edge) for n, edge in zip(shape, edges, strict=True))):
        box = tuple(
            slice(start, min(start + edge, n))
            for start, edge, n in zip(corner, edges, shape, strict=True)
        )
        values = read(box).astype(np.float32)
        for axis in (2, 1, 0):
            starts = np.arange(0, values.shape[axis], steps[axis])
            if axis == 0 and brightest:
                values = np.maximum.reduceat(values, starts, axis=0)
                continue
            counts = np.diff([*starts, values.shape[axis]])
            counts = counts.reshape([-1 if a == axis else 1 for a in range(3)])
            values = np.add.reduceat(values, starts, axis=axis) / counts
        place = tuple(
            slice(s.start // step, s.start // step + n)
            for s, step, n in zip(box, steps, values.shape, strict=True)
        )
        small[place] = values
    return small


def _mask_url(mask: SegmentationFile, steps: Sequence[int]) -> str:
    """A strip that is 0 where nothing is covered, else COVERED to 255 by the share that is."""
    share = reduced(mask.read, mask.shape, steps, brightest=False)
    grey = np.where(share > 0, COVERED + (255 - COVERED) * share, 0)
    return webp_url(strip_of(np.round(grey)), quality=None)
