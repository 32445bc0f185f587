"""Pretraining: unannotated volumes of one group -> an encoder and its history."""

from __future__ import annotations

from pathlib import Path

import torch

from ...challenge.recipe import Optimisation
from ...system.stop import Stop
from .. import distributed, networks
from .. import pretext as tasks
from ..device import Compute, set_threads
from ..sampling import Sampler, UnlabelledSampler, source_window
from ..task import Task
from .assignment import Assignment, Job, Outputs, Pretraining
from .batches import drawn_batch
from .checkpoint import place
from .history import History, publish_history
from .launch import launch
from .loop import train
from .optimisation import initial_seed
from .training_parts import Training, Validator
from .weight_files import EncoderFile, PretrainingRecord, provenance, weights_of

HELD_OUT = 2**40  # sample indices from here on are never trained on
VALIDATIONS = 10
HELD_OUT_SAMPLES = 8


def pretrain(pretraining: Pretraining, outputs: Outputs, job: Job) -> None:
    """Learn an encoder from volumes without labels; write it and the history of its training.

    Raises Unfinished when stopped before the end (start again to continue) and InputError.
    """
    if job.processes > 1 and distributed.world() == 1:
        launch(Assignment(pretraining, outputs, job))
        return
    set_threads(job.threads)
    with Stop(job.time_budget_s) as stop:
        training = prepare_training(pretraining, job.work, job.threads)

        def result(history: History) -> EncoderFile:
            if training.validator.collapsed:
                history.warn(
                    training.settings.steps,
                    "collapsed",
                    f"{job.work}: {pretraining.recipe.pretext.task}: on held-out windows the loss "
                    "is no better than a trivial predictor's (train longer, or try another "
                    "learning rate)",
                )
            return _content(training)

        finished = train(training, stop, result)
    if distributed.rank() == 0:
        place(finished, outputs.weights)
        publish_history(job.work, outputs.history)


def prepare_training(pretraining: Pretraining, work: Path, threads: int = 1) -> Training:
    """Put a pretraining together."""
    recipe, encoder = pretraining.recipe, pretraining.encoder
    settings, input = recipe.pretext, recipe.input
    compute = Compute.choose(
        settings.device, settings.precision, settings.channels_last, distributed.local_rank()
    )
    torch.manual_seed(initial_seed(encoder.seed))
    network = networks.build(recipe.network)
    network.check_window(input.window, "window")
    task = tasks.build(
        settings, network, tasks.Windows(input.window, input.normalisation, settings.augment)
    )
    sampler = UnlabelledSampler(
        pretraining.volumes,
        source_window(input.window, input.resample),
        encoder.seed,
        settings.brightness_bias,
    )
    record: PretrainingRecord = {
        "method": encoder.method,
        "group": encoder.group,
        "seed": encoder.seed,
        "recipe_version": recipe.recipe_version,
        "network": network.spec.model_dump(mode="json"),
        "input": input.model_dump(mode="json"),
        "pretext": settings.decisive() | task.options.model_dump(mode="json"),
        "volumes": provenance(pretraining.volumes),
    }
    return Training(
        task=task,
        sampler=sampler,
        validator=HeldOut(task, sampler, compute, settings, encoder.seed),
        settings=settings,
        learning_rate=settings.learning_rate,
        compute=compute,
        seed=encoder.seed,
        folder=work,
        record=record,
        threads=threads,
    )


def _content(training: Training) -> EncoderFile:
    """The encoder's file, at the end of its training."""
    network, record = training.task.trained_network(), training.record
    return {
        **weights_of("encoder", network, training.settings.steps, training.compute),
        "recipe": record,
        "encoder_prefixes": list(network.encoder_prefixes),
        "input": record["input"] | {"channel": sorted({v["channel"] for v in record["volumes"]})},
        "task": record["pretext"]["task"],
        "trains": training.task.trains,
        "group": record["group"],
        "seed": record["seed"],
        "volumes": record["volumes"],
        "collapsed": training.validator.collapsed,
        "held_out": training.validator.found,
    }


class HeldOut(Validator):
    """Validation on windows that are never trained on, against a trivial predictor's loss."""

    def __init__(
        self, task: Task, sampler: Sampler, compute: Compute, settings: Optimisation, seed: int
    ) -> None:
        super().__init__(settings.steps, VALIDATIONS, {})
        self._task, self._sampler, self._compute, self._seed = task, sampler, compute, seed
        self._batch = min(settings.batch, HELD_OUT_SAMPLES)

    @torch.no_grad()
    def validate(self, step: int, stop: Stop) -> dict[str, float] | None:
        """Mean losses over the held-out windows, and a trivial predictor's."""
        self._task.eval()
        losses, trivial = [], []
        for first in range(0, HELD_OUT_SAMPLES, self._batch):
            if stop.requested:
                self._task.train()
                return None
            indices = range(HELD_OUT + first, HELD_OUT + first + self._batch)
            batch = drawn_batch(
                self._sampler, lambda own: self._task.draw(own, self._seed), indices
            )
            batch = self._compute.move(batch)
            with self._compute.autocast():
                losses.append(float(self._task.losses(batch)["loss"]))
                trivial.append(self._task.trivial_loss(batch))
        self._task.train()
        self.found = {"held_out_loss": sum(losses) / len(losses)}
        if None not in trivial:
            self.found["held_out_trivial_loss"] = sum(trivial) / len(trivial)
        return self.found

    @property
    def collapsed(self) -> bool:
        """Whether the task has learnt no more than a trivial predictor."""
        trivial = self.found.get("held_out_trivial_loss")
        return trivial is not None and self.found["held_out_loss"] >= trivial
