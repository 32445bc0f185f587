"""Phantoms and settings for trainings that take a second, and a way to run them to be killed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from selma3d.challenge.checking import check
from selma3d.challenge.encoder import Encoder
from selma3d.challenge.recipe import FinetuningRecipe, Network, PretrainingRecipe
from selma3d.challenge.run import Run
from selma3d.challenge.source import Source

if TYPE_CHECKING:
    from selma3d.learning.networks import Segmenter

SPLIT_SEED = 2  # with it, p0 comes before p1 for seed 0
INPUT = {"window": [16, 16, 16], "normalisation": "asinh", "resample": None}
NETWORK = {"name": "unet", "channels": [4, 8], "strides": [2]}
AUGMENT = {"flip": 0.5, "rotate90": 0.5, "rotate": 0.3, "gamma": 0.3, "noise": 0.3, "stripes": 0.3}
SCRATCH = Run("scratch")
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


def pretraining(images: Path, out: Path, *, version: int = 1, **changes: object) -> dict:
    """Arguments of `training.pretrain`; `changes` are made in its pretext section."""
    from selma3d.learning import training

    recipe = {
        "recipe_version": version,
        "network": NETWORK,
        "input": INPUT,
        "pretext": {"task": "masked", "block": [4, 4, 4], "learning_rate": 1e-3,
                    "augment": AUGMENT} | LOOP | changes,
    }  # fmt: skip
    return {
        "pretraining": training.Pretraining(
            check(PretrainingRecipe, recipe, "small"),
            Encoder("small", "spot-like", "masked", 0),
            (training.VolumeSource(images / "volume.h5", channel=0),),
        ),
        "outputs": training.Outputs(out / "encoder.pt", out / "encoder.tsv"),
        "job": training.Job(out / "pretraining"),
    }


def finetuning(
    images: Path,
    out: Path,
    *,
    run: Run = SCRATCH,
    encoder: Path | None = None,
    volumes: bool = False,
    recipe: Mapping[str, object] = MappingProxyType({}),
    **changes: object,
) -> dict:
    """Arguments of `training.finetune`; `changes` are made in its own section.

    volumes: learn from the volume too. recipe: other sections than the small ones.
    """
    from selma3d.learning import training

    sections = {
        "recipe_version": 1,
        "network": NETWORK,
        "input": INPUT,
        "finetune": {"learning_rates": [3e-3], "augment": AUGMENT, "validations": 3,
                     "average": 0.9} | LOOP | changes,
        "pretraining_steps": 0,
    }  # fmt: skip
    volume = training.VolumeSource(images / "volume.h5", channel=0)
    return {
        "finetuning": training.Finetuning(
            check(FinetuningRecipe, sections | recipe, "small"),
            method="small",
            target="spot-like",
            run=run,
            sources=(Source("spots", images / "patches.h5", images / "split.tsv", channel=0),),
            encoder=encoder,
            volumes=(volume,) if volumes else (),
        ),
        "outputs": training.Outputs(out / "model.pt", out / "model.tsv"),
        "job": training.Job(out / "finetuning"),
    }


def built(section: Mapping[str, object]) -> Segmenter:
    """The network that a recipe's section describes."""
    from selma3d.learning import networks

    return networks.build(check(Network, section, "small"))


def limited(arguments: dict, **limits: object) -> dict:
    """The same arguments with other limits of the job."""
    return arguments | {"job": replace(arguments["job"], **limits)}


def run(entry: str, arguments: dict, die_in_save: int | None = None) -> None:
    """Be a training process: exit with 75 when stopped; SIGKILL itself half-way in a save."""
    from selma3d.learning import training
    from selma3d.learning.training import checkpoint

    if die_in_save is not None:
        publish, remaining = checkpoint.publish, [die_in_save]

        @contextmanager
        def publish_or_die(path: Path) -> Iterator[Path]:
            with publish(path) as temporary:
                yield temporary
                if path.suffix == ".pt":
                    remaining[0] -= 1
                if remaining[0] < 0:
                    os.truncate(temporary, temporary.stat().st_size // 2)
                    os.kill(os.getpid(), signal.SIGKILL)

        checkpoint.publish = publish_or_die
    try:
        getattr(training, entry)(**arguments)
    except training.Unfinished:
        sys.exit(75)
