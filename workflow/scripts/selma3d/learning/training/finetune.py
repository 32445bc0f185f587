"""Fine-tuning: annotated patches, from scratch or from an encoder -> a model and its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ...challenge.recipe import Finetune, Size
from ...challenge.run import WITHOUT_ENCODER
from ...system.errors import InputError
from ...system.stop import Stop, Unfinished
from .. import distributed, networks
from ..device import Compute, set_threads
from ..networks import Segmenter
from ..networks.segmenter import Transferred
from ..sampling import LabelledSampler, Sampler, UnlabelledSampler, source_window
from .assignment import Assignment, Finetuning, Job, Outputs
from .checkpoint import Checkpoints, digest, place
from .collaborative import Collaborative, PairedSampler
from .history import History, publish_history
from .launch import launch
from .loop import train
from .optimisation import encoder_first_groups, initial_seed
from .run_patches import RunPatches
from .segmentation import Segmentation
from .training_parts import Training
from .validation import Validation, ValidationPatch
from .weight_files import (
    EncoderFile,
    FinetuningRecord,
    ModelFacts,
    ModelFile,
    provenance,
    read_encoder,
    weights_of,
)


def finetune(finetuning: Finetuning, outputs: Outputs, job: Job) -> None:
    """Learn to segment; write the model that is best on validation, and its history.

    Each way of the recipe is trained in full at each learning rate; `scratch-long` takes the
    longest pretraining's steps as well. Raises Unfinished when stopped before the end (start again
    to continue) and InputError.
    """
    if job.processes > 1 and distributed.world() == 1:
        launch(Assignment(finetuning, outputs, job))
        return
    set_threads(job.threads)
    attempts = _attempts(finetuning, job)
    steps = attempts[0].settings.steps
    with Stop(job.time_budget_s) as stop:
        for done, attempt in enumerate(attempts):
            try:
                attempt.train(stop)
            except Unfinished as stopped:
                step, total = done * steps + stopped.step, steps * len(attempts)
                raise Unfinished(step, total, signalled=stopped.signalled) from None
    if distributed.rank() == 0:
        values = {attempt: attempt.value() for attempt in attempts}
        best = max(values, key=values.get)
        place(best.finished, outputs.weights)
        compared = {f"validation_at_{each.name}": value for each, value in values.items()}
        publish_history(best.folder, outputs.history, steps, compared)


def prepare_finetuning(finetuning: Finetuning, job: Job) -> Training:
    """Put a fine-tuning together, the first of its ways at the first of its learning rates."""
    return _attempts(finetuning, job)[0].prepared()[0]


def _attempts(finetuning: Finetuning, job: Job) -> list[_Attempt]:
    """A training for each way and learning rate of the recipe."""
    recipe, run = finetuning.recipe, finetuning.run
    if (finetuning.encoder is None) != (run.init in WITHOUT_ENCODER):
        raise InputError(
            f"init: expected an encoder for all but {', '.join(WITHOUT_ENCODER)}, "
            f"found {run.init}, {finetuning.encoder}"
        )
    settings = recipe.finetune
    if run.init == "scratch-long":
        steps = settings.steps + recipe.pretraining_steps
        settings = settings.model_copy(update={"steps": steps})
    patches = [RunPatches.of(source, run) for source in finetuning.sources]
    pretrained = None
    if finetuning.encoder is not None:
        pretrained = read_encoder(finetuning.encoder, recipe.input)
    record = {
        "method": finetuning.method,
        "target": finetuning.target,
        "structures": {each.structure: {"channel": each.channel} for each in finetuning.sources},
        "init": run.init,
        "budget": None if run.budget == "all" else int(run.budget),
        "fold": run.fold,
        "seed": run.seed,
        "recipe_version": recipe.recipe_version,
        "network": networks.build(recipe.network).spec.model_dump(mode="json"),
        "input": recipe.input.model_dump(mode="json"),
        "encoder": None if pretrained is None else digest(pretrained["state"]),
        "patches": {each.structure: each.record() for each in patches},
        "volumes": provenance(finetuning.volumes),
    }
    tried = settings.attempts(pretrained=finetuning.encoder is not None)
    return [
        _Attempt(
            finetuning=finetuning,
            settings=attempt,
            name=name,
            part=(number, len(tried)),
            patches=patches,
            pretrained=pretrained,
            threads=job.threads,
            record=record
            | {"finetune": attempt.decisive(), "learning_rate": attempt.learning_rates[0]},
            folder=job.work / name,
        )
        for number, (name, attempt) in enumerate(tried.items())
    ]


@dataclass(eq=False)
class _Attempt:
    """One training, in one way, at one learning rate."""

    finetuning: Finetuning
    settings: Finetune
    name: str
    part: tuple[int, int]
    patches: Sequence[RunPatches]
    pretrained: EncoderFile | None
    record: FinetuningRecord
    folder: Path
    threads: int = 1

    @property
    def finished(self) -> Path:
        return Checkpoints.finished_in(self.folder)

    def value(self) -> float:
        """The best validation metric of the finished training."""
        content = torch.load(self.finished, map_location="cpu", weights_only=True)
        return content["validation"]["value"]

    def train(self, stop: Stop) -> None:
        """Train to the end, from wherever an earlier attempt has got to."""
        training, transferred = self.prepared()
        validation = training.validator

        def result(history: History) -> ModelFile:
            if validation.collapsed:
                history.warn(self.settings.steps, "collapsed", self._collapse(validation))
            return self._content(training, transferred)

        train(training, stop, result)

    def prepared(self) -> tuple[Training, Transferred]:
        """The training, and what its network has taken over from an encoder."""
        settings, recipe = self.settings, self.finetuning.recipe
        seed = self.finetuning.run.training_seed
        compute = Compute.choose(
            settings.device, settings.precision, settings.channels_last, distributed.local_rank()
        )
        torch.manual_seed(initial_seed(seed))
        network = networks.build(recipe.network)
        network.check_window(recipe.input.window, "window")
        network.check_window(self._inference_window, "finetune: inference_window")
        transferred = self._transfer(network)
        training = Training(
            task=self._task(network),
            sampler=self._sampler(),
            validator=Validation(
                network, self._validation_patches(), compute, recipe.input, settings
            ),
            settings=settings,
            learning_rate=settings.learning_rates[0],
            compute=compute,
            seed=seed,
            folder=self.folder,
            record=self.record,
            threads=self.threads,
            part=self.part,
            groups=encoder_first_groups(network, settings),
        )
        return training, transferred

    @property
    def _inference_window(self) -> Size:
        return self.settings.inference_window or self.finetuning.recipe.input.window

    def _transfer(self, network: Segmenter) -> Transferred:
        if self.pretrained is None:
            return {"loaded": 0, "loaded_keys": [], "skipped_keys": list(network.state_dict())}
        # What a task has not trained is not worth transferring, whatever the recipe asks for.
        trained = self.pretrained["trains"]
        parts = "encoder" if trained == "encoder" else self.settings.transfer
        return networks.transfer(network, self.pretrained["state"], parts)

    def _task(self, network: Segmenter) -> Segmentation:
        kind = Segmentation if self.settings.collaboration is None else Collaborative
        return kind(network, self.finetuning.recipe.input, self.settings)

    def _sampler(self) -> Sampler:
        settings, seed = self.settings, self.finetuning.run.training_seed
        input, volumes = self.finetuning.recipe.input, self.finetuning.volumes
        window = source_window(input.window, input.resample)
        patches = {
            each.structure: [(each.file, patch, each.channel) for patch in each.training]
            for each in self.patches
        }
        labelled = LabelledSampler(
            patches, window, seed, settings.foreground, settings.annotated_margin
        )
        if settings.collaboration is None:
            return labelled
        if not volumes:
            raise InputError("finetune: collaboration: expected unannotated volumes, found none")
        bias = settings.collaboration.brightness_bias
        return PairedSampler(labelled, UnlabelledSampler(volumes, window, seed, bias))

    def _validation_patches(self) -> list[ValidationPatch]:
        return [
            ValidationPatch(each.structure, each.file, patch, each.channel)
            for each in self.patches
            for patch in each.validation
        ]

    def _collapse(self, validation: Validation) -> str:
        return (
            f"{self.folder}: the best validation {self.settings.metric} is "
            f"{validation.found['value']:.4g}: the network has learnt nothing "
            "(try another learning rate or normalisation)"
        )

    def _content(self, training: Training, transferred: Transferred) -> ModelFile:
        """The model's file, at the end of its training."""
        network, validation = training.task.trained_network(), training.validator
        best = validation.found
        return {
            **weights_of("model", network, self.settings.steps, training.compute),
            **{key: self.record[key] for key in ModelFacts.__annotations__},
            "recipe": self.record,
            "state": best["state"],
            "input": self.record["input"] | {"inference_window": list(self._inference_window)},
            "threshold": best["threshold"],
            "min_component_voxels": self.settings.min_component_voxels,
            "validation": {
                "metric": self.settings.metric,
                "value": best["value"],
                "step": best["step"],
                "specimens": self._specimens("validation"),
            },
            "collapsed": validation.collapsed,
            "training_specimens": self._specimens("training"),
            "training_voxel_sizes_um": {e.structure: e.voxel_sizes_um() for e in self.patches},
            "training_patches": {each.structure: each.training for each in self.patches},
            "transferred": transferred,
        }

    def _specimens(self, role: str) -> list[str]:
        return sorted({s for each in self.patches for s in each.specimens(getattr(each, role))})
