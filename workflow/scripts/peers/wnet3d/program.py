"""CellSeg3D's WNet3D: its network and its normalised cut, trained on images without labels.

Runs in the package's own environment; selma3d.methods.peers.one_program says what is in the folder.
The loop follows the package's WNetTrainingWorker, which itself needs a window of napari. Labels
serve for one thing: which of the two classes is the foreground, and from which probability on.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from napari_cellseg3d.code_models.models.wnet.model import UNet, WNet
from napari_cellseg3d.code_models.models.wnet.soft_Ncuts import SoftNCutsLoss
from napari_cellseg3d.utils import remap_image
from torch.nn.functional import mse_loss

CLASSES = 2


def main(folder: Path) -> None:
    task = json.loads((folder / "task.json").read_text())
    settings = task["settings"]
    torch.set_num_threads(task["threads"])
    torch.manual_seed(task["seed"])
    device = torch.device("cuda" if task["gpu"] else "cpu")
    network = build(settings).to(device)
    train(network, folder / "windows", settings, device, np.random.default_rng(task["seed"]))
    network.eval()
    which, threshold = choose(network.encoder, folder / "train", settings, device)
    for path in sorted((folder / "cases").glob("*.npy")):
        found = probabilities(network.encoder, np.load(path), settings, device)[which]
        np.save(folder / "masks" / path.name, (found >= threshold).astype(np.uint8))


def build(settings: dict) -> WNet:
    """The published network; both its U-Nets narrower where the settings say so."""
    dropout, channels = settings["dropout"], settings["channels"]
    network = WNet(1, 1, CLASSES, dropout)
    if channels is not None:
        network.encoder = UNet(1, CLASSES, channels, softmax=True, dropout=dropout)
        network.decoder = UNet(CLASSES, 1, channels, softmax=False, dropout=dropout)
    return network


def train(
    network: WNet,
    windows: Path,
    settings: dict,
    device: torch.device,
    random: np.random.Generator,
) -> None:
    """Soft normalised cut of the classes, and the image rebuilt from them; no label is seen."""
    paths = sorted(windows.glob("*.npy"))
    optimiser = torch.optim.Adam(
        network.parameters(), settings["learning_rate"], weight_decay=settings["weight_decay"]
    )
    cut = SoftNCutsLoss(
        data_shape=settings["windows"]["shape"],
        device=device,
        intensity_sigma=settings["intensity_sigma"],
        spatial_sigma=settings["spatial_sigma"],
        radius=settings["radius"],
    )
    network.train()
    for step in range(settings["steps"]):
        chosen = random.choice(len(paths), settings["batch"])
        images = torch.stack([scaled(np.load(paths[i])) for i in chosen]).to(device)
        classes, rebuilt = network(images)
        cuts, errors = cut(classes, images), mse_loss(rebuilt, images)
        loss = settings["cut_weight"] * cuts + settings["reconstruction_weight"] * errors
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 10 == 0 or step == settings["steps"] - 1:
            print(f"step {step}: cut {cuts.item():.4f}, reconstruction {errors.item():.4g}")


def choose(encoder: UNet, folder: Path, settings: dict, device: torch.device) -> tuple[int, float]:
    """The class and the threshold with the best mean Dice on the training patches."""
    scores = {}
    for image, truth in annotated(folder):
        found = probabilities(encoder, image, settings, device)
        for which in range(CLASSES):
            for threshold in settings["thresholds"]:
                dice = overlap(found[which] >= threshold, truth)
                scores.setdefault((which, threshold), []).append(dice)
    best = max(scores, key=lambda key: np.mean(scores[key]))
    print(f"class {best[0]} from {best[1]} on: mean Dice {np.mean(scores[best]):.3f} in training")
    return best


def annotated(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for path in sorted(folder.glob("*-mask.npy")):
        yield np.load(path.with_stem(path.stem.removesuffix("-mask"))), np.load(path)


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    """Dice; 1 where both are empty."""
    total = found.sum() + truth.sum()
    return 2 * (found & (truth > 0)).sum() / total if total else 1.0


@torch.no_grad()
def probabilities(
    encoder: UNet, image: np.ndarray, settings: dict, device: torch.device
) -> np.ndarray:
    """(class,Z,Y,X) of a whole image, window by window."""
    given = scaled(image)[None].to(device)
    window = settings["windows"]["shape"]
    return sliding_window_inference(given, window, 4, encoder, overlap=0.25)[0].cpu().numpy()


def scaled(image: np.ndarray) -> torch.Tensor:
    """(1,Z,Y,X), from 0 to 100 as the package has it, by the least and the greatest value."""
    values = torch.from_numpy(image.astype(np.float32))[None]
    if values.max() == values.min():
        return torch.zeros_like(values)
    return remap_image(values)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
