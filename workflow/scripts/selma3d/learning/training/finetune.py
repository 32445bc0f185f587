"""Fine-tuning: annotated patches, from scratch or from an encoder -> a model and its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from ...system.errors import InputError
from ...system.stop import Stop, Unfinished
from .. import networks
from ..augmentation import check_settings
from ..device import Compute, set_threads
from ..networks import Segmenter
from ..networks.options import Size
from ..sampling import LabelledSampler, Sampler, UnlabelledSampler, source_window
from . import distributed
from .checkpoint import digest, place
from .collaborative import Collaboration, Collaborative, PairedSampler
from .files import described, read_encoder
from .finetune_settings import FineTuning, split_settings
from .history import History, publish_history
from .launch import launch
from .loop import Training, train
from .optimisation import Optimisation, encoder_first_groups, initial_seed
from .patches import Patches
from .pretrain import provenance
from .segmentation import Segmentation
from .validation import Case, Validation

RATES = "learning_rates"


def finetune(
    sources: Sequence[dict],
    *,
    network: dict,
    finetune: dict,
    input: dict,
    init: str,
    encoder: str | Path | None,
    pretrain_equivalent_steps: int,
    budget: int | None,
    fold: int,
    seed: int,
    method: str,
    target: str,
    structures: dict[str, dict],
    model: str | Path,
    history: str | Path,
    work: str | Path,
    volumes: Sequence[dict] = (),
    version: int = 1,
    threads: int = 1,
    time_budget_s: float | None = None,
    processes: int = 1,
) -> None:
    """Learn to segment; write the model that is best on validation, and its history.

    sources: {structure, patches, split, channel} each. finetune: settings of `FineTuning` and of
    `Optimisation` (but `learning_rate`). input: {window (Z,Y,X) voxels, normalisation, resample
    (z,y,x) factors or None}. init: `scratch`, `scratch-long` (trained `pretrain_equivalent_steps`
    longer), or the name of the pretext that `encoder` was trained with. budget: training patches a
    structure, None for all. structures: {name: {channel}} that the model is for. work: a folder
    that survives a kill. volumes: {path, sample, channel, weight} each, for a recipe with
    `collaboration`. version: of the recipe; raising it trains anew. Raises Unfinished when
    stopped before the end (start again to continue) and InputError.
    """
    arguments = dict(locals())
    if processes > 1 and distributed.world() == 1:
        launch("finetune", arguments, processes, Path(work))
        return
    set_threads(threads)
    if (encoder is None) != init.startswith("scratch"):
        raise InputError(f"init: expected an encoder for all but scratch, found {init}, {encoder}")
    settings, options = split_settings(finetune)
    if init == "scratch-long":
        settings = replace(settings, steps=settings.steps + pretrain_equivalent_steps)
    patches = [Patches.of(source, budget, fold, seed) for source in sources]
    pretrained = None if encoder is None else read_encoder(Path(encoder), input)
    facts = {"target": target, "structures": structures, "init": init, "budget": budget,
             "fold": fold, "seed": seed, "method": method}  # fmt: skip
    recipe = facts | {
        "version": version,
        "network": networks.build(network).spec,
        "finetune": settings.decisive()
        | {"augment": check_settings(options.augment or {})}
        | {key: value for key, value in asdict(options).items() if key not in ("augment", RATES)},
        "input": {"resample": None} | input,
        "encoder": None if pretrained is None else digest(pretrained["state"]),
        "patches": {each.structure: each.content() for each in patches},
        "volumes": [provenance(volume) for volume in volumes],
    }
    runs = [
        _Run(
            settings=replace(settings, learning_rate=rate),
            options=options,
            patches=patches,
            volumes=volumes,
            pretrained=pretrained,
            facts=facts,
            recipe=recipe | {"learning_rate": rate},
            folder=Path(work) / f"rate-{rate:g}",
            part=(number, len(options.learning_rates)),
        )
        for number, rate in enumerate(options.learning_rates)
    ]
    with Stop(time_budget_s) as stop:
        for done, run in enumerate(runs):
            try:
                run.train(stop)
            except Unfinished as stopped:
                total = settings.steps * len(runs)
                step = done * settings.steps + stopped.step
                raise Unfinished(step, total, signalled=stopped.signalled) from None
    if distributed.rank() == 0:
        values = {run: run.value() for run in runs}
        best = max(values, key=values.get)
        place(best.finished, Path(model))
        compared = {f"validation_at_rate_{run.rate:g}": value for run, value in values.items()}
        publish_history(best.folder, Path(history), settings.steps, compared)


@dataclass(eq=False)
class _Run:
    """One training, at one learning rate."""

    settings: Optimisation
    options: FineTuning
    patches: Sequence[Patches]
    volumes: Sequence[dict]
    pretrained: dict | None
    facts: dict
    recipe: dict
    folder: Path
    part: tuple[int, int]

    @property
    def rate(self) -> float:
        return self.settings.learning_rate

    @property
    def finished(self) -> Path:
        return self.folder / "finished.pt"

    def value(self) -> float:
        """The best validation metric of the finished training."""
        content = torch.load(self.finished, map_location="cpu", weights_only=True)
        return content["validation"]["value"]

    def train(self, stop: Stop) -> None:
        """Train to the end, from wherever an earlier attempt has got to."""
        settings, options = self.settings, self.options
        compute = Compute.choose(
            settings.device, settings.precision, settings.channels_last, distributed.local_rank()
        )
        torch.manual_seed(initial_seed(self.facts["seed"]))
        network = networks.build(self.recipe["network"])
        network.check_window(self._window, "window")
        network.check_window(self._inference_window, "finetune: inference_window")
        transferred = {"loaded": 0, "loaded_keys": [], "skipped_keys": list(network.state_dict())}
        if self.pretrained is not None:
            # What a task has not trained is not worth transferring, whatever the recipe asks for.
            parts = "encoder" if self.pretrained["trains"] == "encoder" else options.transfer
            transferred = networks.transfer(network, self.pretrained["state"], parts)
        validation = self._validation(network, compute)

        def result(history: History) -> dict:
            if validation.collapsed:
                history.warn(settings.steps, "collapsed", self._collapse(validation))
            return self._content(network, validation) | {"transferred": transferred}

        training = Training(
            task=self._task(network),
            sampler=self._sampler(),
            watch=validation,
            settings=settings,
            compute=compute,
            seed=self.facts["seed"],
            folder=self.folder,
            part=self.part,
            recipe=self.recipe,
            groups=encoder_first_groups(
                network, options.freeze_encoder, options.encoder_rate, options.layer_decay
            ),
        )
        train(training, stop, result)

    @property
    def _input(self) -> dict:
        return self.recipe["input"]

    @property
    def _window(self) -> Size:
        return tuple(self._input["window"])

    @property
    def _inference_window(self) -> Size:
        return self.options.inference_window or self._window

    def _task(self, network: Segmenter) -> Segmentation:
        options = self.options
        settings = {
            "window": self._window,
            "normalisation": self._input["normalisation"],
            "augmentation": options.augment or {},
            "dice": options.dice,
            "cross_entropy": options.cross_entropy,
            "cldice": options.cldice,
            "batch_dice": options.batch_dice,
        }
        if self._collaboration is None:
            return Segmentation(network, **settings)
        return Collaborative(network, self._collaboration, **settings)

    @property
    def _collaboration(self) -> Collaboration | None:
        given = self.options.collaboration
        return None if given is None else Collaboration.of(given, "finetune: collaboration")

    def _sampler(self) -> Sampler:
        patches = {
            each.structure: [(each.file, patch, each.channel) for patch in each.training]
            for each in self.patches
        }
        window = source_window(self._window, self._input["resample"])
        options, seed = self.options, self.facts["seed"]
        labelled = LabelledSampler(
            patches, window, seed, options.foreground, options.annotated_margin
        )
        if self._collaboration is None:
            return labelled
        if not self.volumes:
            raise InputError("finetune: collaboration: expected unannotated volumes, found none")
        bias = self._collaboration.brightness_bias
        return PairedSampler(labelled, UnlabelledSampler(self.volumes, window, seed, bias))

    def _validation(self, network: Segmenter, compute: Compute) -> Validation:
        cases = [
            Case(each.structure, each.file, patch, each.channel)
            for each in self.patches
            for patch in each.validation
        ]
        return Validation(
            network,
            cases,
            compute,
            window=self._inference_window,
            normalisation=self._input["normalisation"],
            resample=self._input["resample"],
            steps=self.settings.steps,
            looks=self.options.validations,
            metric=self.options.metric,
        )

    def _collapse(self, validation: Validation) -> str:
        return (
            f"{self.folder}: the best validation {self.options.metric} is "
            f"{validation.best['value']:.4g}: the network has learnt nothing "
            "(try another learning rate or normalisation)"
        )

    def _content(self, network: Segmenter, validation: Validation) -> dict:
        best = validation.best
        common = described("model", network, self.recipe, self.settings.steps)
        return (
            common
            | self.facts
            | {
                "state": best["state"],
                "input": self._input | {"inference_window": list(self._inference_window)},
                "threshold": best["threshold"],
                "min_component_voxels": self.options.min_component_voxels,
                "validation": {
                    "metric": self.options.metric,
                    "value": best["value"],
                    "step": best["step"],
                    "specimens": self._specimens("validation"),
                },
                "collapsed": validation.collapsed,
                "training_specimens": self._specimens("training"),
                "training_patches": {each.structure: each.training for each in self.patches},
            }
        )

    def _specimens(self, role: str) -> list[str]:
        return sorted({s for each in self.patches for s in each.specimens(getattr(each, role))})
