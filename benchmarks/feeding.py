"""Cores that feed a GPU with each recipe's windows, by a model: python benchmarks/feeding.py

Windows a second of one core, read and unpacked from a synthetic volume, against operations that are
counted and speeds of GPUs that are assumed (config/speeds.tsv). Draws are not part of it. `make
gpu-check` measures it on the GPU itself.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow" / "scripts"))

import pandas as pd
import torch
from data import light_sheet

from selma3d.challenge.checking import check, load_yaml
from selma3d.challenge.recipe import Recipe
from selma3d.images import write_volume
from selma3d.learning import flops
from selma3d.learning.sampling import (
    UnlabelledSampler,
    VolumeSource,
    source_window,
)
from selma3d.learning.training.batches import drawn_batch
from selma3d.monitor.speeds import FILE, read_speeds

ROOT = Path(__file__).resolve().parent.parent
GPUS = ("A100", "H100", "RTX-3090")
SAMPLES = 24  # windows whose time is taken, of each size


def main() -> None:
    """Print the table."""
    os.environ["BLOSC_NTHREADS"] = "1"  # as in jobs
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        print(pd.DataFrame(cores(Path(folder))).to_string(index=False))


def cores(folder: Path) -> list[dict[str, object]]:
    """For each training of production size: its windows, and the cores that feed it on GPUs."""
    volume = folder / "volume.h5"
    write_volume(volume, folder / "volume.tsv", light_sheet((256, 256, 256))[None], sample="v")
    speeds = read_speeds(ROOT / FILE)
    rates: dict[tuple[int, ...], float] = {}
    rows = []
    for file in sorted((ROOT / "config" / "methods").glob("*.yaml")):
        content = load_yaml(file)
        if content["kind"] != "recipe":
            continue
        recipe = check(Recipe, content["recipe"]["production"], file)
        window = source_window(recipe.input.window, recipe.input.resample)
        if window not in rates:
            rates[window] = windows_of_a_core(volume, window)
        trainings = {
            name: (flops.of_pretraining(recipe.pretraining(name)), pretext.batch)
            for name, pretext in recipe.pretexts.items()
        } | {"finetune": (flops.of_finetuning(recipe.finetuning()), recipe.finetune.batch)}
        for name, (operations, batch) in trainings.items():
            row = {
                "recipe": f"{content['name']}/{name}",
                "window": "×".join(map(str, window)),
                "windows/s of a core": f"{rates[window]:.0f}",
            }
            for gpu in GPUS:
                eaten = batch / speeds[gpu].seconds(operations).likely
                row[f"cores for {gpu} (windows/s)"] = (
                    f"{math.ceil(eaten / rates[window])} ({eaten:.0f})"
                )
            rows.append(row)
    return rows


def windows_of_a_core(volume: Path, window: tuple[int, int, int]) -> float:
    """Random windows by the second of CPU time in which one thread reads them."""
    sampler = UnlabelledSampler([VolumeSource(volume, 0)], window, seed=0)
    drawn_batch(sampler, lambda indices: {}, range(2))
    began = time.process_time()
    drawn_batch(sampler, lambda indices: {}, range(2, 2 + SAMPLES))
    return SAMPLES / (time.process_time() - began)


if __name__ == "__main__":
    main()
