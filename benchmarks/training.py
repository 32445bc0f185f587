"""Steps a second of our training loop beside a plain MONAI loop: python benchmarks/training.py

Same network (MONAI's UNet 16-32-64-128), data (patches of 100³ in memory), windows (64³), batch
(2), loss (Dice + cross entropy), optimiser and kinds of augmentation, in float32. Both get two
cores: the MONAI loop in the best of its usual ways to use them. Runs alternate and the fastest of
each counts, since a shared machine only ever slows a run down.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

WINDOW = (64, 64, 64)
BATCH = 2
WARM_UP = 5
WAYS = ("ours, 1 thread", "ours, 2 threads", "MONAI, 1 loader process", "MONAI, 2 loader processes",
        "MONAI, 2 threads")  # fmt: skip
AUGMENT = {
    "flip": 0.5, "rotate90": 0.5, "rotate": 0.2, "elastic": 0.2, "gamma": 0.3, "contrast": 0.15,
    "brightness": 0.15, "blur_z": 0.2, "noise": 0.15, "gradient": 0.15, "stripes": 0.15,
    "missing_planes": 0.1,
}  # fmt: skip


def write_patches(folder: Path) -> None:
    """Eight training patches and one for validation, with a few hundred bright balls each."""
    from selma3d.images import PatchWriter
    from selma3d.images.splits import COLUMNS

    random = np.random.default_rng(0)
    rows = []
    with PatchWriter(folder / "patches.h5", folder / "patches.tsv", "patches") as writer:
        for number in range(9):
            mask = np.zeros((100, 100, 100), dtype=np.uint8)
            for z, y, x in random.integers(3, 97, (200, 3)):
                mask[z - 2 : z + 3, y - 2 : y + 3, x - 2 : x + 3] = 1
            image = random.normal(300, 30, mask.shape) + 400.0 * mask
            writer.add(f"p{number}", image[None].astype(np.uint16), mask)
            role = "train" if number < 8 else "validation"
            rows.append(("spots", f"p{number}", "", role, 0, "index-block", 0))
    pd.DataFrame(rows, columns=COLUMNS).to_csv(folder / "split.tsv", sep="\t", index=False)


def ours(folder: Path, threads: int, steps: int) -> dict[str, float]:
    """Fine-tune and read rate and waiting from the history, after the first steps."""
    from selma3d.challenge.checking import check
    from selma3d.challenge.recipe import FinetuningRecipe
    from selma3d.challenge.run import Run
    from selma3d.challenge.source import Source
    from selma3d.learning import training

    recipe = {
        "recipe_version": 1,
        "network": {"name": "unet"},
        "input": {"window": list(WINDOW), "normalisation": "zscore"},
        "finetune": {"learning_rates": [1e-3], "steps": steps + WARM_UP, "batch": BATCH,
                     "augment": AUGMENT, "validations": 1, "log_every": WARM_UP,
                     "precision": "fp32"},
        "pretraining_steps": 0,
    }  # fmt: skip
    source = Source("spots", folder / "patches.h5", folder / "split.tsv", channel=0)
    with tempfile.TemporaryDirectory(dir=folder) as out:
        training.finetune(
            training.Finetuning(
                check(FinetuningRecipe, recipe, "benchmark"),
                method="benchmark",
                target="spots",
                run=Run("scratch"),
                sources=(source,),
            ),
            training.Outputs(Path(out) / "model.pt", Path(out) / "model.tsv"),
            training.Job(Path(out) / "work", threads),
        )
        table = pd.read_csv(Path(out) / "model.tsv", sep="\t")
    later = table[table["step"] > WARM_UP].pivot(index="step", columns="name", values="value")
    seconds = WARM_UP / later["steps_per_s"]
    return {
        "steps_per_s": len(later) * WARM_UP / seconds.sum(),
        "waiting": (later["waiting"] * seconds).sum() / seconds.sum(),
    }


def monai_augmentation() -> list:
    """MONAI's transforms of the kinds of AUGMENT, of `image` and `mask`."""
    from monai import transforms as t

    both, image, chance = ["image", "mask"], ["image"], AUGMENT
    return [
        *(t.RandFlipd(both, chance["flip"], axis) for axis in range(3)),
        t.RandRotate90d(both, chance["rotate90"], spatial_axes=(1, 2)),
        t.RandRotated(both, range_x=0.5, prob=chance["rotate"], mode=["bilinear", "nearest"],
                      padding_mode="reflection"),
        t.Rand3DElasticd(both, (5, 8), (20, 60), prob=chance["elastic"],
                         mode=["bilinear", "nearest"], padding_mode="reflection"),
        t.RandAdjustContrastd(image, chance["gamma"], (0.7, 1.5)),
        t.RandScaleIntensityd(image, 0.25, chance["contrast"]),
        t.RandShiftIntensityd(image, 0.2, prob=chance["brightness"]),
        t.RandGaussianSmoothd(image, (0.3, 1.2), (0.1, 0.2), (0.1, 0.2), prob=chance["blur_z"]),
        t.RandGaussianNoised(image, chance["noise"], std=0.2),
        t.RandBiasFieldd(image, degree=1, prob=chance["gradient"]),
        t.RandCoarseDropoutd(image, holes=2, spatial_size=(1, 64, 64),
                             prob=chance["missing_planes"]),
    ]  # fmt: skip


def monai_loop(folder: Path, threads: int, workers: int, steps: int) -> dict[str, float]:
    """Dictionary transforms, CacheDataset and DataLoader, as MONAI's tutorials put them."""
    from monai import transforms as t
    from monai.data import CacheDataset, DataLoader, list_data_collate
    from monai.losses import DiceCELoss
    from monai.networks.nets import UNet

    from selma3d.images import PatchFile

    torch.set_num_threads(threads)
    both, image = ["image", "mask"], ["image"]
    pipeline = t.Compose([
        t.EnsureChannelFirstd(both, channel_dim="no_channel"),
        t.EnsureTyped(both, dtype=torch.float32, track_meta=False),
        t.NormalizeIntensityd(image),
        t.RandCropByPosNegLabeld(both, "mask", WINDOW, pos=2, neg=1, num_samples=1),
        *monai_augmentation(),
    ])  # fmt: skip
    with PatchFile(folder / "patches.h5") as file:
        data = [
            {"image": file.image(name, 0).astype(np.float32), "mask": file.mask(name)}
            for name in file.ids[:8]
        ]
    dataset = CacheDataset(data * 4, pipeline, num_workers=0, progress=False)
    loader = DataLoader(
        dataset, batch_size=BATCH, shuffle=True, num_workers=workers, collate_fn=list_data_collate,
        persistent_workers=workers > 0,
    )  # fmt: skip
    network = UNet(3, 1, 1, (16, 32, 64, 128), (2, 2, 2))
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    criterion = DiceCELoss(sigmoid=True)
    done, waited = 0, 0.0
    while done < steps + WARM_UP:
        batches = iter(loader)
        while done < steps + WARM_UP:
            asked = time.monotonic()
            batch = next(batches, None)
            if batch is None:
                break
            waited += time.monotonic() - asked
            optimiser.zero_grad()
            loss = criterion(network(batch["image"]), batch["mask"])
            loss.backward()
            optimiser.step()
            loss.item()
            done += 1
            if done == WARM_UP:
                began, waited = time.monotonic(), 0.0
    seconds = time.monotonic() - began
    return {"steps_per_s": steps / seconds, "waiting": waited / seconds}


def overhead(folder: Path) -> dict[str, float]:
    """Seconds of one save of this network and its optimiser, and of logging one step."""
    from selma3d.challenge.recipe import Network
    from selma3d.learning import networks
    from selma3d.learning.training.checkpoint import Checkpoints
    from selma3d.learning.training.history import History

    network = networks.build(Network(name="unet"))
    optimiser = torch.optim.AdamW(network.parameters())
    sum(parameter.sum() for parameter in network.parameters()).backward()
    optimiser.step()
    with tempfile.TemporaryDirectory(dir=folder) as out:
        checkpoints = Checkpoints(out, {})
        began = time.monotonic()
        for step in range(5):
            state = {"task": network.state_dict(), "optimiser": optimiser.state_dict()}
            checkpoints.save(step, state)
        save = (time.monotonic() - began) / 5
        names = ("loss", "dice_loss", "cross_entropy_loss", "learning_rate", "rate", "waiting")
        with History(out, total=200) as history:
            began = time.monotonic()
            for step in range(200):
                history.reached(step)
                history.write(step, dict.fromkeys(names, 0.5))
            log = (time.monotonic() - began) / 200
    return {"save_s": save, "log_s": log}


def measure(way: str, folder: Path, steps: int) -> dict[str, float]:
    """One run in a process of its own, since torch's threads are set once."""
    command = [sys.executable, __file__, "--one", way, "--folder", folder, "--steps", str(steps)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate, waiting = output.split()[-2:]
    return {"steps_per_s": float(rate), "waiting": float(waiting)}


def one(way: str, folder: Path, steps: int) -> dict[str, float]:
    """The run of one way, in this process."""
    number = int(way.split()[1])
    if way.startswith("ours"):
        return ours(folder, number, steps)
    if "loader" in way:
        return monai_loop(folder, 1, number, steps)
    return monai_loop(folder, number, 0, steps)


def main() -> None:
    """Print the table and whether the targets are met."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--steps", type=int, default=60)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    arguments.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        result = one(given.one, given.folder, given.steps)
        print(result["steps_per_s"], result["waiting"])
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_patches(folder)
        runs = pd.DataFrame(
            [
                {"way": way} | measure(way, folder, given.steps)
                for _ in range(given.repeats)
                for way in WAYS
            ]
        )
        costs = overhead(folder)
    best = runs.loc[runs.groupby("way")["steps_per_s"].idxmax()].set_index("way").loc[list(WAYS)]
    print(best.round(3).to_string())
    is_ours = best.index.str.startswith("ours")
    rate = best[is_ours]["steps_per_s"].max()
    ratio = rate / best[~is_ours]["steps_per_s"].max()
    share = costs["save_s"] / 300 + costs["log_s"] * rate / 20
    print(f"ours / MONAI's best: {ratio:.2f} (target 1.30)")
    print(f"waiting for data: {best[is_ours]['waiting'].max():.1%} (target below 5 %)")
    print(f"saving every 300 s and logging every 20 steps: {share:.3%} (target below 1 %)")


if __name__ == "__main__":
    main()
