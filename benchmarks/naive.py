"""Our protocol beside a plain MONAI script on real images: python benchmarks/naive.py [--seeds N]

Needs the results of `make real` (`--results`, results/real). The script is what one writes first:
MONAI's UNet 16-32-64-128, windows of 64³, batch 4, AdamW at 1e-3, Dice + cross entropy, flips and
quarter turns, sliding windows. `percentiles` scales between the 1st and 99th percentile, draws its
windows anywhere and takes 300 steps; `asinh` scales by an inverse hyperbolic sine, centres two
thirds of the windows on foreground and takes 500. It learns from the same patches, by the same
splits and seeds, chooses its threshold on the same validation brains, and is scored on the
same cases. Dice: of the validation brains, and of the test cases as the mean over cases and pooled
over their voxels.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from monai import transforms as t
from monai.data import CacheDataset, DataLoader, list_data_collate
from monai.inferers import sliding_window_inference
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from monai.utils import set_determinism

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from selma3d.images import PatchFile, PredictionFile  # noqa: E402
from selma3d.images.splits import read_split, training_patches, validation_patches  # noqa: E402
from selma3d.inference.model import load_model  # noqa: E402

WINDOW, BATCH = (64, 64, 64), 4
STEPS = {"percentiles": 300, "asinh": 500}
TARGETS = {"cfos": "spot-like", "microglia": "microglia"}  # of the structure that is learnt
TESTED = {"cfos": ("cfos", "microglia"), "microglia": ("microglia", "microglia-other")}
THRESHOLDS = np.arange(0.05, 1.0, 0.05)
Cases = list[tuple[np.ndarray, np.ndarray]]  # image and truth, (Z,Y,X) each


def scaling(kind: str) -> t.Transform:
    """How a whole image is brought to a common scale."""
    if kind == "percentiles":
        return t.ScaleIntensityRangePercentiles(1, 99, 0, 1, clip=True)
    return t.Compose([t.NormalizeIntensity(), t.Lambda(torch.arcsinh)])


def read(file: Path, kind: str, patches: list[str] | None = None) -> Cases:
    """Scaled images and truths of patches or cases; all of a file's by default."""
    scale = t.Compose([t.EnsureType(dtype=torch.float32, track_meta=False), scaling(kind)])
    with PatchFile(file) as opened:
        return [
            (np.asarray(scale(opened.image(name, 0).astype(np.float32))), opened.mask(name))
            for name in patches or opened.ids
        ]


def train(data: Cases, kind: str, seed: int) -> UNet:
    """A network after the script's number of steps."""
    set_determinism(seed)
    both = ["image", "mask"]
    crop = (
        t.RandSpatialCropd(both, WINDOW, random_size=False)
        if kind == "percentiles"
        else t.RandCropByPosNegLabeld(both, "mask", WINDOW, pos=2, neg=1, num_samples=1)
    )
    pipeline = t.Compose([
        t.EnsureChannelFirstd(both, channel_dim="no_channel"),
        t.EnsureTyped(both, dtype=torch.float32, track_meta=False),
        crop,
        *(t.RandFlipd(both, 0.5, axis) for axis in range(3)),
        t.RandRotate90d(both, 0.5, spatial_axes=(1, 2)),
    ])  # fmt: skip
    again = -(-BATCH // len(data))  # two patches do not fill a batch
    records = [{"image": image, "mask": mask} for image, mask in data] * again
    loader = DataLoader(
        CacheDataset(records, pipeline, num_workers=0, progress=False),
        batch_size=BATCH, shuffle=True, drop_last=True, collate_fn=list_data_collate,
    )  # fmt: skip
    network = UNet(3, 1, 1, (16, 32, 64, 128), (2, 2, 2))
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    criterion = DiceCELoss(sigmoid=True)
    epochs = itertools.chain.from_iterable(itertools.repeat(loader))
    for batch in itertools.islice(epochs, STEPS[kind]):
        optimiser.zero_grad()
        criterion(network(batch["image"]), batch["mask"]).backward()
        optimiser.step()
    return network.eval()


@torch.no_grad()
def probability(network: UNet, image: np.ndarray) -> np.ndarray:
    """(Z,Y,X) in [0,1]."""
    windows = torch.as_tensor(image)[None, None]
    return sliding_window_inference(windows, WINDOW, BATCH, network, 0.25).sigmoid()[0, 0].numpy()


def summary(predicted: list[np.ndarray], truth: list[np.ndarray]) -> tuple[float, float]:
    """Dice as the mean over cases, and of all their voxels together."""
    pairs = zip(predicted, truth, strict=True)
    both, sizes = np.array([(np.sum(p & q), p.sum() + q.sum()) for p, q in pairs]).T
    return float(np.mean(2 * both / sizes)), float(2 * both.sum() / sizes.sum())


def script(results: Path, learns: str, kind: str, budget: str, seed: int) -> list[tuple]:
    """Train the script and score it: rows of structure, and Dice on validation and test."""
    patches = results / "data" / learns / "patches.h5"
    split = read_split(results / "splits" / f"{learns}.tsv")
    network = train(read(patches, kind, training_patches(split, 0, seed, budget)), kind, seed)
    held_out = read(patches, kind, validation_patches(split, 0))
    truth = [mask > 0 for _, mask in held_out]
    found = [probability(network, image) for image, _ in held_out]
    by_threshold = {h: summary([f > h for f in found], truth)[0] for h in THRESHOLDS}
    threshold = max(by_threshold, key=by_threshold.get)
    rows = []
    for structure in TESTED[learns]:
        cases = read(results / "data" / structure / "cases.h5", kind)
        masks = [probability(network, image) > threshold for image, _ in cases]
        rows.append((f"{learns} -> {structure}", by_threshold[threshold],
                     *summary(masks, [mask > 0 for _, mask in cases])))  # fmt: skip
    return rows


def ours(results: Path, learns: str, init: str, budget: str, seed: int) -> list[tuple]:
    """The same rows of a model that `make real` trained."""
    run = f"{init}-n{budget}-f0-s{seed}"
    model = load_model(results / f"models/unet/{TARGETS[learns]}/{run}.pt", threads=1)
    rows = []
    validation = model.contents["validation"]["value"]
    for structure in TESTED[learns]:
        with (
            PatchFile(results / f"data/{structure}/cases.h5") as cases,
            PredictionFile(results / f"predictions/unet/{structure}/{run}.h5") as predictions,
        ):
            truth = [cases.mask(case) > 0 for case in cases.ids]
            masks = [predictions.mask(case) > 0 for case in cases.ids]
        rows.append((f"{learns} -> {structure}", validation, *summary(masks, truth)))
    return rows


def main() -> None:
    """Print a line for every training as it ends, then the means over seeds."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--results", type=Path, default=Path("results/real"))
    arguments.add_argument("--budgets", nargs="+", default=["2", "all"])
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--scripts", nargs="+", choices=list(STEPS), default=list(STEPS))
    asked = arguments.parse_args()
    if not (asked.results / "report.html").exists():
        sys.exit(f"{asked.results}: expected the finished results of `make real`, found none")
    torch.set_num_threads(1)
    table = []
    for learns in (name for name in TESTED if (asked.results / f"data/{name}/patches.h5").exists()):
        for budget in asked.budgets:
            for seed in range(asked.seeds):
                for kind in asked.scripts:
                    began = time.process_time()
                    rows = script(asked.results, learns, kind, budget, seed)
                    table += [(f"script, {kind}", budget, *row) for row in rows]
                    seconds = time.process_time() - began
                    print(kind, budget, f"seed {seed}", rows, f"{seconds:.0f} CPU s", flush=True)
                for init in ("scratch", "masked"):
                    rows = ours(asked.results, learns, init, budget, seed)
                    table += [(f"ours, {init}", budget, *row) for row in rows]
    columns = ["who", "patches", "structure", "validation", "test, mean", "test, pooled"]
    means = pd.DataFrame(table, columns=columns).groupby(columns[:3], sort=False).mean()
    print(means.sort_index(level=[2, 1], sort_remaining=False).round(3).to_string())


if __name__ == "__main__":
    main()
