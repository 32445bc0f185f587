"""Small trainings of every kind, which the checks run on a GPU and on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ...challenge.checking import check
from ...challenge.encoder import Encoder
from ...challenge.recipe import FinetuningRecipe, PretrainingRecipe
from ...challenge.run import Run
from ...learning import training
from ...learning.model_files import read_weights
from ...learning.training.training_parts import Training
from .small_images import patches_of_balls, volume_of_balls

Settings = Mapping[str, Any]

WINDOW = (24, 24, 24)
UNET = {"name": "unet", "channels": [8, 16, 32], "strides": [2, 2]}
DYNUNET = {"name": "dynunet", "channels": [8, 16, 32], "strides": [1, 2, 2],
           "kernels": [3, 3, 3], "deep_supervision": True}  # fmt: skip
UNETR = {"name": "unetr", "window": [32, 32, 32], "hidden": 48, "mlp": 96, "heads": 4,
         "channels": 8}  # fmt: skip
LOOP = {"steps": 8, "batch": 4, "log_every": 4}
AUGMENT = {"flip": 0.5, "rotate90": 0.5, "gamma": 0.5, "contrast": 0.5, "blur_z": 0.5}
HEAD = {"hidden": 32, "projected": 16}

# The network, where another than the U-Net, stands beside a task's settings.
TASKS: dict[str, Settings] = {
    "masked": {"task": "masked", "block": [4, 4, 4]},
    "genesis": {"task": "genesis"},
    "shuffled": {"task": "shuffled", "block": [4, 4, 4]},
    "restore": {"task": "restore"},
    "simclr": {"task": "simclr"} | HEAD,
    "byol": {"task": "byol"} | HEAD,
    "pgl": {"task": "pgl"} | HEAD,
    "ibot": {"task": "ibot", "hidden": 32, "bottleneck": 16, "prototypes": 32, "local_views": 2},
    "fine-tuning": {"cldice": 0.5},
    "fine-tuning by batches": {"batch_dice": True, "annotated_margin": 4},
    "fine-tuning at scales": {"network": DYNUNET},
    "fine-tuning with volumes": {
        "collaboration": {"pseudo_labels": 0.5, "multiscale": 0.5, "start": 0.001,
                          "confidence": 0.6, "augment": {"flip": 0.5}},
    },
    "fine-tuning of a transformer": {"network": UNETR},
}  # fmt: skip


def prepared(name: str, folder: Path, **changes: object) -> Training:
    """A training of one of TASKS, ready to take steps."""
    settings = TASKS[name] | changes
    if "task" in settings:
        return training.prepare_training(pretraining(folder, **settings), folder / "work")
    return training.prepare_finetuning(
        finetuning(folder, **settings), training.Job(folder / "work")
    )


def pretraining(folder: Path, **settings: object) -> training.Pretraining:
    """A pretraining on a small volume."""
    section = {"learning_rate": 1e-3, "augment": AUGMENT} | LOOP | settings
    recipe = _recipe(section) | {"pretext": section}
    return training.Pretraining(
        check(PretrainingRecipe, recipe, "gpu-check"),
        Encoder("check", "spots", str(section["task"]), 0),
        (training.VolumeSource(volume_of_balls(folder, 64), 0),),
    )


def finetuning(folder: Path, **settings: object) -> training.Finetuning:
    """A fine-tuning from scratch on small patches."""
    section = {"learning_rates": [3e-3], "validations": 2, "augment": AUGMENT} | LOOP | settings
    recipe = _recipe(section) | {"finetune": section, "pretraining_steps": 0}
    volume = training.VolumeSource(volume_of_balls(folder, 64), 0)
    return training.Finetuning(
        check(FinetuningRecipe, recipe, "gpu-check"),
        method="check",
        target="spots",
        run=Run("scratch"),
        sources=(patches_of_balls(folder, 48),),
        volumes=(volume,) if "collaboration" in section else (),
    )


def _recipe(section: dict[str, object]) -> dict[str, object]:
    """The sections of a recipe around one, which gives its network to them."""
    network = section.pop("network", UNET)
    window = network.get("window", section.pop("window", WINDOW))
    return {
        "recipe_version": 1,
        "network": network,
        "input": {"window": window, "normalisation": "asinh"},
    }


def trained(assigned: training.Finetuning, folder: Path, processes: int = 1) -> dict[str, Any]:
    """The content of a model file that is trained in `folder`, in one go."""
    outputs = training.Outputs(folder / "model.pt", folder / "history.tsv")
    training.finetune(assigned, outputs, training.Job(folder / "work", processes=processes))
    return read_weights(outputs.weights, "a model file")


def trained_with_stops(
    assigned: training.Finetuning, folder: Path
) -> tuple[dict[str, Any], list[int]]:
    """The same, of a training that is stopped and goes on, and the steps that it stopped at."""
    outputs = training.Outputs(folder / "model.pt", folder / "history.tsv")
    stops, budget_s = [], 0.05
    while not outputs.weights.exists():
        job = training.Job(folder / "work", time_budget_s=budget_s)
        try:
            training.finetune(assigned, outputs, job)
        except training.Unfinished as stopped:
            stops.append(stopped.step)
        budget_s *= 1.2
    return read_weights(outputs.weights, "a model file"), sorted(set(stops) - {0})


def apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The distance of two models' weights, as a share of their size."""
    ours, theirs = (
        torch.cat([value.flatten().double() for value in each["state"].values()])
        for each in (one, other)
    )
    return float((ours - theirs).norm() / ours.norm())
