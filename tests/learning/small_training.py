"""Phantoms and settings for trainings that take a second, and a way to run them to be killed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pandas as pd

SPLIT_SEED = 2  # with it, p0 comes before p1 for seed 0
INPUT = {"window": [16, 16, 16], "normalisation": "asinh", "resample": None}
NETWORK = {"name": "unet", "channels": [4, 8], "strides": [2]}
AUGMENT = {"flip": 0.5, "rotate90": 0.5, "rotate": 0.3, "gamma": 0.3, "noise": 0.3, "stripes": 0.3}
LOOP = {"steps": 24, "batch": 2, "log_every": 4, "save_every": 5}


def spots(
    random: np.random.Generator, shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Bright balls on noise: image uint16 and mask uint8 (Z,Y,X)."""
    mask = np.zeros(shape, dtype=np.uint8)
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    for _ in range(10):
        centre = [random.integers(3, n - 3) for n in shape]
        mask |= sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) < 8
    image = random.normal(300, 30, shape) + 300.0 * mask
    return image.astype(np.uint16), mask


def write_images(folder: Path) -> None:
    """Write volume.h5, patches.h5 (two training and two validation patches) and split.tsv."""
    from selma3d.images import PatchWriter, write_volume
    from selma3d.images.splits import COLUMNS

    random = np.random.default_rng(0)
    image, _ = spots(random, (48, 40, 40))
    write_volume(folder / "volume.h5", folder / "volume.tsv", image[None], sample="a", specimen="A")
    rows = []
    with PatchWriter(folder / "patches.h5", folder / "patches.tsv", "patches") as writer:
        for number in range(4):
            image, mask = spots(random, (20, 24, 24))
            writer.add(f"p{number}", image[None], mask, specimen="B" if number < 2 else "C")
            role, specimen = ("train", "B") if number < 2 else ("validation", "C")
            rows.append(("spots", f"p{number}", specimen, role, 0, "specimen", SPLIT_SEED))
    pd.DataFrame(rows, columns=COLUMNS).to_csv(folder / "split.tsv", sep="\t", index=False)


def pretraining(images: Path, out: Path, **changes: object) -> dict:
    """Arguments of `training.pretrain`; `changes` are made in its pretext section."""
    return {
        "volumes": [{"path": images / "volume.h5", "sample": "a", "channel": 0, "weight": 1.0}],
        "network": NETWORK,
        "pretext": {"task": "masked", "block": [4, 4, 4], "learning_rate": 1e-3,
                    "augment": AUGMENT} | LOOP | changes,
        "input": INPUT,
        "seed": 0,
        "method": "small",
        "group": "spot-like",
        "encoder": out / "encoder.pt",
        "history": out / "encoder.tsv",
        "work": out / "pretraining",
    }  # fmt: skip


def finetuning(images: Path, out: Path, **changes: object) -> dict:
    """Arguments of `training.finetune` from scratch; `changes` are made in its own section."""
    return {
        "sources": [{"structure": "spots", "patches": images / "patches.h5",
                     "split": images / "split.tsv", "channel": 0}],
        "network": NETWORK,
        "finetune": {"learning_rates": [3e-3], "augment": AUGMENT, "validations": 3,
                     "average": 0.9} | LOOP | changes,
        "input": INPUT,
        "init": "scratch",
        "encoder": None,
        "pretrain_equivalent_steps": 0,
        "budget": None,
        "fold": 0,
        "seed": 0,
        "method": "small",
        "target": "spot-like",
        "structures": {"spots": {"channel": 0}},
        "model": out / "model.pt",
        "history": out / "model.tsv",
        "work": out / "finetuning",
    }  # fmt: skip


def run(entry: str, arguments: dict, die_in_save: int | None = None) -> None:
    """Be a training process: exit with 75 when stopped; SIGKILL itself half-way in a save."""
    from selma3d.learning import training
    from selma3d.learning.training import checkpoint

    if die_in_save is not None:
        save, remaining = checkpoint._write, [die_in_save]

        def save_and_die(content: dict, path: Path) -> None:
            save(content, path)
            remaining[0] -= 1
            if remaining[0] < 0:
                os.truncate(path, path.stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)

        checkpoint._write = save_and_die
    try:
        getattr(training, entry)(**arguments)
    except training.Unfinished:
        sys.exit(75)
