"""Pretraining: unannotated volumes of one group -> an encoder and its history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from ...images import read_index
from ...system.stop import Stop
from .. import networks
from .. import pretext as tasks
from ..augmentation import check_settings
from ..device import Compute, set_threads
from ..sampling import Sampler, UnlabelledSampler, collate, source_window
from ..task import Task
from . import distributed
from .checkpoint import place
from .files import described
from .history import History, publish_history
from .launch import launch
from .loop import Training, train
from .optimisation import Optimisation, initial_seed, names

HELD_OUT = 2**40  # sample indices from here on are never trained on
LOOKS = 10
HELD_OUT_SAMPLES = 8


def pretrain(
    volumes: Sequence[dict],
    *,
    network: dict,
    pretext: dict,
    input: dict,
    seed: int,
    method: str,
    group: str,
    encoder: str | Path,
    history: str | Path,
    work: str | Path,
    version: int = 1,
    threads: int = 1,
    time_budget_s: float | None = None,
    processes: int = 1,
) -> None:
    """Learn an encoder from volumes without labels; write it and the history of its training.

    volumes: {path, sample, channel, weight} each. pretext: the task's name and options, those of
    `Optimisation`, `brightness_bias` (see UnlabelledSampler) and `augment`. input: {window (Z,Y,X)
    voxels, normalisation, resample (z,y,x) factors or None}. work: a folder that survives a kill.
    version: of the recipe; raising it trains anew. Raises Unfinished when stopped before the end
    (start again to continue) and InputError.
    """
    arguments = dict(locals())
    if processes > 1 and distributed.world() == 1:
        launch("pretrain", arguments, processes, Path(work))
        return
    set_threads(threads)
    with Stop(time_budget_s) as stop:
        named = {"method": method, "group": group, "version": version}
        training = prepare_training(volumes, network, pretext, input, seed, named, Path(work))
        model = training.task.trained_network()

        def result(history: History) -> dict:
            if training.watch.collapsed:
                history.warn(
                    training.settings.steps,
                    "collapsed",
                    f"{work}: {pretext['task']}: on held-out windows the loss is no better than a "
                    "trivial predictor's (train longer, or try another learning rate)",
                )
            return described("encoder", model, training.recipe, training.settings.steps) | {
                "encoder_prefixes": list(model.encoder_prefixes),
                "input": training.recipe["input"]
                | {"channel": sorted({int(v["channel"]) for v in volumes})},
                "task": pretext["task"],
                "trains": training.task.trains,
                "group": group,
                "seed": seed,
                "volumes": training.recipe["volumes"],
                "collapsed": training.watch.collapsed,
                "held_out": training.watch.last,
            }

        finished = train(training, stop, result)
    if distributed.rank() == 0:
        place(finished, Path(encoder))
        publish_history(Path(work), Path(history))


def prepare_training(
    volumes: Sequence[dict],
    network: dict,
    pretext: dict,
    input: dict,
    seed: int,
    named: dict,
    work: Path,
) -> Training:
    """Put a pretraining together; arguments as of `pretrain`, `named` for the recipe's record."""
    settings = Optimisation.of(pretext, "pretext")
    compute = Compute.choose(
        settings.device, settings.precision, settings.channels_last, distributed.local_rank()
    )
    torch.manual_seed(initial_seed(seed))
    model = networks.build(network)
    window = tuple(input["window"])
    model.check_window(window, "window")
    bias, augment = pretext.get("brightness_bias", 0.5), pretext.get("augment", {})
    own = names(Optimisation) | {"brightness_bias", "augment"}
    task = tasks.build(
        {key: value for key, value in pretext.items() if key not in own},
        model,
        tasks.Windows(window, input["normalisation"], augment),
    )
    sampler = UnlabelledSampler(
        volumes,
        source_window(window, input.get("resample")),
        seed,
        bias,
    )
    return Training(
        task=task,
        sampler=sampler,
        watch=HeldOut(task, sampler, compute, settings, seed),
        settings=settings,
        compute=compute,
        seed=seed,
        folder=work,
        recipe=named
        | {
            "network": model.spec,
            "pretext": {key: value for key, value in pretext.items() if key not in own}
            | settings.decisive()
            | {"learning_rate": settings.learning_rate, "brightness_bias": bias}
            | {"augment": check_settings(augment)},
            "input": {"resample": None} | input,
            "seed": seed,
            "volumes": [provenance(volume) for volume in volumes],
        },
    )


def provenance(volume: dict) -> dict:
    """What a volume contributes, by the content's hash rather than by its path."""
    index = read_index(Path(volume["path"]).with_suffix(".tsv")).iloc[0]
    return {
        "sample": volume["sample"],
        "channel": int(volume["channel"]),
        "weight": float(volume.get("weight", 1.0)),
        "specimen": index["specimen"],
        "sha256": index["sha256"],
    }


class HeldOut:
    """Looks at windows that are never trained on, and at what a trivial predictor would lose."""

    def __init__(
        self, task: Task, sampler: Sampler, compute: Compute, settings: Optimisation, seed: int
    ) -> None:
        self._task, self._sampler, self._compute, self._seed = task, sampler, compute, seed
        self._due = {round(settings.steps * (look + 1) / LOOKS) for look in range(LOOKS)}
        self._batch = min(settings.batch, HELD_OUT_SAMPLES)
        self.last: dict[str, float] = {}

    def due(self, step: int) -> bool:
        """Whether to look after `step` steps."""
        return step in self._due

    @torch.no_grad()
    def look(self, step: int, stop: Stop) -> dict[str, float] | None:
        """Mean losses over the held-out windows, and their ratio to the trivial loss."""
        self._task.eval()
        losses, trivial = [], []
        for first in range(0, HELD_OUT_SAMPLES, self._batch):
            if stop.requested:
                self._task.train()
                return None
            indices = range(HELD_OUT + first, HELD_OUT + first + self._batch)
            batch = self._compute.move(collate(self._sampler, indices))
            with self._compute.autocast():
                losses.append(float(self._task.losses(batch, self._seed)["loss"]))
                trivial.append(self._task.trivial_loss(batch, self._seed))
        self._task.train()
        self.last = {"held_out_loss": sum(losses) / len(losses)}
        if None not in trivial:
            self.last["held_out_trivial_loss"] = sum(trivial) / len(trivial)
        return self.last

    @property
    def collapsed(self) -> bool:
        """Whether the task has learnt no more than a trivial predictor."""
        trivial = self.last.get("held_out_trivial_loss")
        return trivial is not None and self.last["held_out_loss"] >= trivial

    def state_dict(self) -> dict:
        """What a resume needs."""
        return self.last

    def load_state_dict(self, state: dict) -> None:
        """Continue with the last look."""
        self.last = state
