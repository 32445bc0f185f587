"""What every pretext task learns on phantoms in two minutes: python benchmarks/pretexts.py

Each task pretrains the same network on the same volumes of synthetic cells. Two questions: does its
loss on windows that it never trained on fall below that of a predictor that has learnt nothing, and
do its frozen features tell cells from tissue better than those of untrained networks? The second
is a linear probe: a logistic regression from the encoder's maps at single voxels, fitted on a few
labelled voxels of one specimen, judged by its average precision on another. The settings were
chosen on the images of seed 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from selma3d.archive.phantom.specification import read_spec  # noqa: E402
from selma3d.archive.phantom.specimens import annotated_specimens, imaged_specimens  # noqa: E402
from selma3d.challenge.checking import check  # noqa: E402
from selma3d.challenge.encoder import Encoder  # noqa: E402
from selma3d.challenge.recipe import Network, PretrainingRecipe  # noqa: E402
from selma3d.images import Intensity, write_volume  # noqa: E402
from selma3d.learning import networks, pretext, training  # noqa: E402
from selma3d.learning.sampling import intensity_vector, normalise  # noqa: E402
from selma3d.learning.training.optimisation import initial_seed  # noqa: E402

SEED = 1
NETWORK = {"name": "unet", "channels": [8, 16, 32, 64], "strides": [1, 2, 2], "norm": "channel"}
INPUT = {"window": [32, 32, 32], "normalisation": "ratio", "resample": None}
VIEWS = {"flip": 0.5, "rotate90": 0.5, "contrast": 0.5, "brightness": 0.5, "noise": 0.5}
MILD = {"flip": 0.5, "rotate90": 0.5, "brightness": 0.2, "noise": 0.5}
LOOP = {"learning_rate": 3e-3, "log_every": 100}
TASKS = {
    "masked": {"block": [4, 4, 4], "fill": "noise", "steps": 500, "batch": 4},
    # As cells are always brighter than tissue: learning to undo an inverted image unlearns that.
    "genesis": {"steps": 500, "batch": 4, "inverted": 0.0},
    "restore": {"steps": 500, "batch": 4},
    "simclr": {"steps": 250, "batch": 16, "augment": VIEWS},
    # A slow teacher holds a short training to what chance gave its student.
    "byol": {"steps": 200, "batch": 16, "augment": VIEWS, "momentum": 0.6},
    # Cells are a few voxels wide: places are compared, and hidden, at half the resolution.
    "pgl": {"steps": 250, "batch": 8, "augment": MILD, "momentum": 0.9, "level": -3, "hidden": 64,
            "projected": 32},
    "ibot": {"steps": 250, "batch": 8, "augment": VIEWS, "prototypes": 128, "local_views": 2,
             "momentum": 0.97, "level": -3, "hidden": 128, "bottleneck": 32},
}  # fmt: skip
STRUCTURE = {
    "kind": "cell",
    "patch_shape": [64, 64, 64],
    "volume_shape": [128, 128, 128],
    "voxel_size_um": [4, 2, 2],
    "training": {"specimens": 2, "patches_per_specimen": 2},
    "volumes": 3,
}
LABELS, DRAWS = 100, 20  # voxels of cells, and as many of tissue, that a probe is fitted on
RIDGE = 1e-2
UNTRAINED = 3  # networks, of other initial weights each

Labelled = tuple[np.ndarray, np.ndarray]  # images and truths (n,Z,Y,X)


def images(folder: Path) -> tuple[list[training.VolumeSource], Labelled, Labelled]:
    """Volumes to pretrain on; patches of one specimen to fit a probe on, and of one to judge it."""
    (structure,) = read_spec({"structures": {"cell": STRUCTURE}})
    volumes = []
    for specimen in imaged_specimens(structure, SEED):
        path = folder / f"{specimen.name}.h5"
        write_volume(path, path.with_suffix(".tsv"), specimen.volume(), sample=specimen.name)
        volumes.append(training.VolumeSource(path, channel=0))
    fitted, judged = (specimen.patches(2) for specimen in annotated_specimens(structure, SEED))
    return volumes, (fitted[0][:, 0], fitted[1]), (judged[0][:, 0], judged[1])


@torch.inference_mode()
def features(network: networks.Segmenter, patches: Labelled) -> tuple[Tensor, Tensor]:
    """The encoder's maps at every voxel (N,D), and whether it is foreground (N,)."""
    rows, truths = [], []
    for image, truth in zip(*patches, strict=True):
        constants = torch.from_numpy(intensity_vector(Intensity.of(image)))[None]
        raw = torch.from_numpy(image.astype(np.float32))[None, None]
        maps = network.encode(normalise(raw, constants, INPUT["normalisation"]))
        fine = [F.interpolate(m, size=image.shape, mode="trilinear") for m in maps]
        rows.append(torch.cat(fine, dim=1)[0].flatten(1).T)
        truths.append(torch.from_numpy(truth).flatten())
    return torch.cat(rows), torch.cat(truths).float()


def probe(network: networks.Segmenter, fitted: Labelled, judged: Labelled) -> np.ndarray:
    """Average precision of logistic regressions on frozen features, one a draw of labels.

    The draws are the same for every network.
    """
    network.eval()
    inputs, truth = features(network, fitted)
    mean, sd = inputs.mean(0), inputs.std(0).clamp(min=1e-6)
    unseen, positive = features(network, judged)
    unseen = (unseen - mean) / sd
    found = []
    for draw in range(DRAWS):
        random = np.random.default_rng((SEED, draw))
        chosen = np.concatenate(
            [
                random.choice(np.flatnonzero(truth.numpy() == value), LABELS, replace=False)
                for value in (1, 0)
            ]
        )
        weights = regression((inputs[chosen] - mean) / sd, truth[chosen])
        found.append(average_precision((unseen @ weights).numpy(), positive.numpy() == 1))
    return np.array(found)


def regression(inputs: Tensor, truth: Tensor) -> Tensor:
    """Weights (D,) of a logistic regression with a ridge, without its intercept."""
    weights = torch.zeros(inputs.shape[1] + 1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        logits = inputs @ weights[1:] + weights[0]
        value = F.binary_cross_entropy_with_logits(logits, truth) + RIDGE * weights.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return weights[1:].detach()


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Mean precision over the foreground voxels, each at its own score as threshold."""
    hit = positive[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    return float(precision[hit].mean())


def pretrained(
    task: str, volumes: list[training.VolumeSource], folder: Path
) -> tuple[networks.Segmenter, dict[str, float]]:
    """Pretrain by one task; its network and its last look at windows never trained on."""
    encoder = folder / f"{task}.pt"
    recipe = {
        "recipe_version": 1,
        "network": NETWORK,
        "input": INPUT,
        "pretext": {"task": task} | LOOP | TASKS[task],
    }
    training.pretrain(
        training.Pretraining(
            check(PretrainingRecipe, recipe, "benchmark"),
            Encoder("benchmark", "spot-like", task, SEED),
            tuple(volumes),
        ),
        training.Outputs(encoder, encoder.with_suffix(".tsv")),
        training.Job(folder / task),
    )
    content = torch.load(encoder, weights_only=True)
    network = networks.build(Network(**content["network"]))
    network.load_state_dict(content["state"])
    return network, content["held_out"]


def main() -> None:
    """Print one row a task."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--tasks", nargs="+", choices=pretext.names(), default=list(TASKS))
    chosen = arguments.parse_args().tasks
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        volumes, fitted, judged = images(Path(temporary))
        untrained = []
        for seed in range(UNTRAINED):
            torch.manual_seed(initial_seed(seed))
            untrained.append(probe(networks.build(Network(**NETWORK)), fitted, judged))
        random = np.mean(untrained, axis=0)
        for task in chosen:
            began = time.process_time()
            network, seen = pretrained(task, volumes, Path(temporary))
            found = probe(network, fitted, judged)
            rows.append(
                {
                    "task": task,
                    "steps": TASKS[task]["steps"],
                    "CPU s": round(time.process_time() - began),
                    "loss": seen["held_out_loss"],
                    "trivial loss": seen.get("held_out_trivial_loss", np.nan),
                    "probe": found.mean(),
                    "untrained": random.mean(),
                    "better by": (found - random).mean(),
                    "sd over draws": (found - random).std(ddof=1),
                }
            )
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.4f}".format))


if __name__ == "__main__":
    main()
