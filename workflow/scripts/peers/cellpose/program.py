"""cellpose 3: its network trained on planes of the patches, its 3D flows followed to masks.

Runs in cellpose's own environment; selma3d.methods.peers.one_program says what is in the folder.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from cellpose.models import CellposeModel
from cellpose.train import train_seg
from scipy.ndimage import label


def main(folder: Path) -> None:
    task = json.loads((folder / "task.json").read_text())
    settings = task["settings"]
    torch.set_num_threads(task["threads"])
    torch.manual_seed(task["seed"])
    weights = settings["weights"]
    if weights and not Path(weights).is_file():  # cellpose would download others instead
        sys.exit(f"settings.weights: expected a file of cellpose 3's weights, found no {weights}")
    if task["gpu"] and not torch.cuda.is_available():  # it would compute on the CPU
        sys.exit(f"resources.gpu: expected a usable GPU, torch {torch.__version__} sees none")
    first = CellposeModel(
        gpu=task["gpu"],
        pretrained_model=weights or False,
        diam_mean=settings["diameter"],
    )
    trained = train(first, folder, settings)
    # Read back: in this release, a model that began without weights cannot segment in 3D.
    model = CellposeModel(gpu=task["gpu"], pretrained_model=str(trained))
    for path in sorted((folder / "cases").glob("*.npy")):
        np.save(folder / "masks" / path.name, segment(model, normalised(np.load(path)), settings))


def train(model: CellposeModel, folder: Path, settings: dict) -> Path:
    """Train on planes in all three directions, as its 3D inference looks at a volume; the weights.

    Neighbours that touch are one object: the challenge's masks do not tell cells apart.
    """
    images, labels = [], []
    for path in patches(folder / "train"):
        image = normalised(np.load(path))
        mask = np.load(path.with_stem(f"{path.stem}-mask"))
        for axis in range(3):
            for plane, truth in zip(
                np.moveaxis(image, axis, 0), np.moveaxis(mask, axis, 0), strict=True
            ):
                if truth.any():
                    images.append(np.ascontiguousarray(plane))
                    labels.append(label(truth)[0].astype(np.int32))
    if not images:
        sys.exit("expected training patches with labelled voxels, found none")
    chosen = np.unique(np.linspace(0, len(images) - 1, settings["planes"]).astype(int))
    return train_seg(
        model.net,
        train_data=[images[i] for i in chosen],
        train_labels=[labels[i] for i in chosen],
        channels=[0, 0],
        normalize=False,
        batch_size=settings["batch"],
        n_epochs=settings["epochs"],
        nimg_per_epoch=settings["batch"] * settings["iterations"],
        learning_rate=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
        rescale=settings["rescale"],
        bsize=settings["window"],
        min_train_masks=1,
        save_path=folder,
    )[0]


def segment(model: CellposeModel, image: np.ndarray, settings: dict) -> np.ndarray:
    """uint8 {0,1} (Z,Y,X)."""
    as_trained = model.diam_labels if settings["rescale"] else model.diam_mean
    labels = model.eval(
        image,
        channels=[0, 0],
        z_axis=0,
        do_3D=True,
        normalize=False,
        diameter=as_trained,
        bsize=settings["window"],
        min_size=settings["min_voxels"],
    )[0]
    return (labels > 0).astype(np.uint8)


def normalised(image: np.ndarray) -> np.ndarray:
    """As cellpose does with a volume: 0 and 1 are its 1st and 99th percentile; nothing is cut."""
    low, high = np.percentile(image, [1, 99])
    return ((image - low) / max(high - low, 1e-3)).astype(np.float32)


def patches(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.npy") if not path.stem.endswith("-mask"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
