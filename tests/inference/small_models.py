"""Model files of untrained networks: they segment nonsense, and always the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from selma3d.challenge.recipe import Network
from selma3d.images import CONTRACT_VERSION, write_volume
from selma3d.learning import networks

NETWORK = Network(name="unet", channels=[4, 8], strides=[2])


def write_model(
    path: Path, *, window: tuple[int, int, int] = (16, 16, 16), seed: int = 0, **changes
) -> Path:
    """Write a model of one structure, `spots`, on channel 0; `changes` replace top-level keys."""
    torch.manual_seed(seed)
    network = networks.build(NETWORK)
    contents = {
        "contract_version": CONTRACT_VERSION,
        "kind": "model",
        "network": network.spec.model_dump(mode="json"),
        "state": network.state_dict(),
        "input": {
            "window": list(window),
            "inference_window": list(window),
            "normalisation": "asinh",
            "resample": None,
        },
        "threshold": 0.5,
        "min_component_voxels": 0,
        "target": "spot-like",
        "structures": {"spots": {"channel": 0}},
    }
    torch.save(contents | changes, path)
    return path


def noise(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Blurred noise, uint16 (Z,Y,X), from 100 to 900."""
    random = np.random.default_rng(seed)
    image = random.random(shape)
    for axis in range(3):
        image += np.roll(image, 1, axis)
    return (100 + 800 * (image - image.min()) / np.ptp(image)).astype(np.uint16)


def write_noise(folder: Path, shape: tuple[int, int, int], **facts) -> Path:
    """Write `volume.h5` of noise, one channel."""
    write_volume(
        folder / "volume.h5", folder / "volume.tsv", noise(shape)[None], sample="a", **facts
    )
    return folder / "volume.h5"
