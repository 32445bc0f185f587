"""Images that the checks learn from: bright balls on noise, in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ...challenge.source import Source
from ...images import PatchWriter, write_volume
from ...images.splits import COLUMNS

TILE = 64  # voxels; larger images repeat it
RADIUS = 3


def balls(random: np.random.Generator, edge: int) -> tuple[np.ndarray, np.ndarray]:
    """An image uint16 and its mask uint8 (Z,Y,X), of `edge` voxels each."""
    if edge > TILE:
        times = -(-edge // TILE)
        inside = (slice(edge),) * 3
        image, mask = (np.tile(each, (times,) * 3)[inside] for each in balls(random, TILE))
        return image, mask
    mask = np.zeros((edge,) * 3, dtype=np.uint8)
    grid = np.ogrid[:edge, :edge, :edge]
    for _ in range(max(4, edge**3 // 4000)):
        centre = random.integers(RADIUS, edge - RADIUS, size=3)
        mask |= sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) < RADIUS**2
    image = random.normal(300, 30, mask.shape) + 300.0 * mask
    return image.astype(np.uint16), mask


def volume_of_balls(folder: Path, edge: int) -> Path:
    """An unannotated volume in `folder`, written where it is not there yet."""
    volume = folder / f"volume-{edge}.h5"
    if not volume.exists():
        image, _ = balls(np.random.default_rng(0), edge)
        index = volume.with_suffix(".tsv")
        write_volume(volume, index, image[None], sample="a", specimen="A")
    return volume


def patches_of_balls(folder: Path, edge: int) -> Source:
    """Two patches in `folder` to learn from, two that validate, and their split."""
    patches, split = folder / f"patches-{edge}.h5", folder / f"split-{edge}.tsv"
    if not split.exists():
        random = np.random.default_rng(1)
        rows = []
        with PatchWriter(patches, patches.with_suffix(".tsv"), "patches") as writer:
            for number in range(4):
                image, mask = balls(random, edge)
                role, specimen = ("train", "B") if number < 2 else ("validation", "C")
                writer.add(f"p{number}", image[None], mask, specimen=specimen)
                rows.append(("spots", f"p{number}", specimen, role, 0, "specimen", 0))
        pd.DataFrame(rows, columns=COLUMNS).to_csv(split, sep="\t", index=False)
    return Source("spots", patches, split, channel=0)
