"""Windows a second of our loader beside MONAI's: python benchmarks/loading.py

Same images, windows (64³) and batch (4), by 1 and 2 loader processes. MONAI's loader as its
tutorial of fast training puts it: dictionary transforms, what is not random cached in memory
(CacheDataset), foreground found once, all windows of a batch from one image. PersistentDataset is
its answer where memory is short. Three kinds of batch:

- windows of annotated patches, neither turned nor bent;
- the same, augmented. Ours come with all that is drawn for their augmentation, which the GPU then
  does; MONAI's come augmented. So this is what a GPU waits for, and not the same work;
- windows of a whole volume that was not annotated, in memory with MONAI, in its file with ours.

A round runs every loader once, in a process of its own. Ratios are those within a round, by the
wall and by CPU seconds of all processes; on a machine that others use, only the latter say much.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow" / "scripts"))

import numpy as np
import torch
from data import light_sheet, show
from monai import transforms as t
from monai.data import CacheDataset, DataLoader, PersistentDataset
from training import AUGMENT, monai_augmentation, write_patches

from selma3d.challenge.checking import check
from selma3d.challenge.recipe import Finetune, Input, Network
from selma3d.images import PatchFile, VolumeFile, write_volume
from selma3d.learning import networks
from selma3d.learning.device import Compute
from selma3d.learning.sampling import LabelledSampler, Sampler, UnlabelledSampler, VolumeSource
from selma3d.learning.training.batches import Batches
from selma3d.learning.training.segmentation import Segmentation

WINDOW = (64, 64, 64)
BATCH = 4
EDGE = 256  # of the volume
WARM_UP = 4  # batches
KINDS = ("patches", "patches, augmented", "volume")
LOADERS = ("ours", "CacheDataset", "PersistentDataset")


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--batches", type=int, default=60)
    arguments.add_argument("--rounds", type=int, default=3)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_patches(folder)
        write_volume(
            folder / "volume.h5", folder / "volume.tsv", light_sheet((EDGE,) * 3)[None], sample="v"
        )
        show(f"Windows of {WINDOW[0]}³", table(folder, given.batches, given.rounds))


def table(folder: Path, batches: int, rounds: int) -> list[dict[str, str]]:
    """A row a kind, loader and number of processes."""
    rows = []
    for kind in KINDS:
        for workers in (1, 2):
            found = {loader: [] for loader in LOADERS}
            for _ in range(rounds):
                for loader in LOADERS:
                    found[loader].append(measure(kind, loader, workers, folder, batches))
            for loader in LOADERS:
                row = {"": kind, "processes": str(workers), "loader": loader}
                for number, name in enumerate(("wall", "CPU")):
                    rates = [each[number] for each in found[loader]]
                    ratios = [
                        ours[number] / each[number]
                        for ours, each in zip(found["ours"], found[loader], strict=True)
                    ]
                    row[f"windows/s, {name}"] = f"{statistics.median(rates):.0f}"
                    row[f"ours is, {name}"] = f"{statistics.median(ratios):.2f}×"
                rows.append(row)
    return rows


def measure(
    kind: str, loader: str, workers: int, folder: Path, batches: int
) -> tuple[float, float]:
    """Windows by the second of wall and of CPU time, in a process of its own.

    CPU time of loader processes is known when they have ended, so it holds their start, a fork.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        return pool.submit(one, kind, loader, workers, folder, batches).result()


def one(kind: str, loader: str, workers: int, folder: Path, count: int) -> tuple[float, float]:
    """The same, in this process."""
    batches = our_batches if loader == "ours" else monai_batches
    return paced(batches(kind, loader, workers, folder, WARM_UP + count), count)


def paced(batches: Iterator[int], count: int) -> tuple[float, float]:
    """Take batches, given as numbers of windows, and see how long they take after WARM_UP."""
    windows = next(batches)  # what is kept in memory is there
    spent = cpu_seconds()
    windows += sum(next(batches) for _ in range(WARM_UP - 1))
    began, timed = time.perf_counter(), 0
    for _ in range(count):
        timed += next(batches)
    wall = timed / (time.perf_counter() - began)
    batches.close()
    return wall, (windows + timed) / (cpu_seconds() - spent)


def cpu_seconds() -> float:
    """CPU time of this process and of those it has started that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def our_batches(kind: str, loader: str, workers: int, folder: Path, count: int) -> Iterator[int]:
    """Batches as trainings take them, before they go to a device."""
    settings = check(
        Finetune,
        {"learning_rates": [1e-3], "steps": count, "batch": BATCH, "workers": workers,
         "augment": AUGMENT if kind.endswith("augmented") else {}},
        "benchmark",
    )  # fmt: skip
    if kind == "volume":
        sampler: Sampler = UnlabelledSampler([VolumeSource(folder / "volume.h5", 0)], WINDOW, 0)
    else:
        file = PatchFile(folder / "patches.h5")
        sampler = LabelledSampler({"spots": [(file, name, 0) for name in file.ids[:8]]}, WINDOW, 0)
    input = Input(window=WINDOW, normalisation="zscore")
    task = Segmentation(networks.build(Network(name="unet")), input, settings)
    draw = (lambda indices: task.draw(indices, 0)) if settings.augment else (lambda indices: {})
    with Batches(
        sampler, settings, Compute(torch.device("cpu")), draw=draw, workers=workers
    ) as batches:
        for (part,) in batches:
            yield len(part["image"])


def monai_batches(kind: str, loader: str, workers: int, folder: Path, count: int) -> Iterator[int]:
    """Batches of MONAI's loader, normalised, over as many epochs as it takes."""
    keys = ["image"] if kind == "volume" else ["image", "mask"]
    if kind == "volume":
        with VolumeFile(folder / "volume.h5") as file:
            image = file.read(0, (slice(None),) * 3).astype(np.float32)
        data = [{"image": image}]
        crop = t.RandSpatialCropSamplesd(keys, WINDOW, num_samples=BATCH, random_size=False)
    else:
        with PatchFile(folder / "patches.h5") as file:
            data = [
                {"image": file.image(name, 0).astype(np.float32), "mask": file.mask(name)}
                for name in file.ids[:8]
            ]
        crop = t.RandCropByPosNegLabeld(
            keys, "mask", WINDOW, pos=2, neg=1, num_samples=BATCH,
            fg_indices_key="mask_fg_indices", bg_indices_key="mask_bg_indices",
        )  # fmt: skip
    pipeline = t.Compose([
        t.EnsureChannelFirstd(keys, channel_dim="no_channel"),
        t.EnsureTyped(keys, dtype=torch.float32, track_meta=False),
        t.NormalizeIntensityd(["image"]),
        *([] if kind == "volume" else [t.FgBgToIndicesd("mask")]),
        crop,
        t.SelectItemsd(keys),
        *(monai_augmentation() if kind.endswith("augmented") else []),
    ])  # fmt: skip
    data *= math.ceil(count / len(data))  # an epoch of all batches: no process starts twice
    if loader == "CacheDataset":
        dataset = CacheDataset(
            data, pipeline, hash_as_key=True, copy_cache=False, num_workers=0, progress=False
        )
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = PersistentDataset(data, pipeline, folder / f"cache of {kind}")
    batches = DataLoader(dataset, batch_size=1, shuffle=True, num_workers=workers)
    for batch in batches:
        yield len(batch["image"])


if __name__ == "__main__":
    main()
