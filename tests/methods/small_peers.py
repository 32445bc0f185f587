"""Patches, a split and cases that a peer could be handed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from selma3d.images import PatchWriter
from selma3d.images.splits import COLUMNS

SHAPE = (8, 10, 12)
SPLIT_SEED = 1  # with it, b comes before a both for seed 0 and for seed 3


def picture(number: int, shape: tuple[int, ...] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """An image (1,Z,Y,X) with a bright box, no axis like another, and its mask."""
    mask = np.zeros(shape, np.uint8)
    mask[1:3, 2:5, 3 : 7 + number] = 1
    noise = np.random.default_rng(number).integers(0, 50, shape)
    return (100 + noise + 1000 * mask.astype(int)).astype(np.uint16)[None], mask


def patches_and_split(
    folder: Path, voxel_sizes: tuple[tuple[float, ...] | None, ...] = ((4.0, 2.0, 1.0),) * 3
) -> tuple[Path, Path]:
    """Patches a and b to train on (b first), v to validate on; fold 0, seeds 0 and 3."""
    folder.mkdir(parents=True, exist_ok=True)
    h5, tsv = folder / "patches.h5", folder / "cells.tsv"
    with PatchWriter(h5, folder / "patches.tsv", "patches") as patches:
        for number, (patch, size) in enumerate(zip("abv", voxel_sizes, strict=True)):
            patches.add(patch, *picture(number), f"mouse {patch}", size)
    parts = {"a": "train", "b": "train", "v": "validation"}
    rows = [
        ("cells", p, f"mouse {p}", role, 0, "specimen", SPLIT_SEED) for p, role in parts.items()
    ]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(tsv, sep="\t", index=False)
    return h5, tsv


def two_cases(folder: Path, voxel_size: tuple[float, ...] | None = (4.0, 2.0, 1.0)) -> Path:
    """Cases with names that are no good as file names."""
    folder.mkdir(parents=True, exist_ok=True)
    with PatchWriter(folder / "cases.h5", folder / "cases.tsv", "cases") as cases:
        for number, case in enumerate(("mouse 7; rm", "7..8 '")):
            cases.add(case, *picture(number), f"test {number}", voxel_size)
    return folder / "cases.h5"
