"""Recipes: a network, its input, the pretexts that pretrain it, and its fine-tuning."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import Field, StringConstraints, model_validator

from .augmentation import Augmentation
from .checking import Count, Model, NotNegative, Number, Positive, Share

Size = tuple[Count, Count, Count]  # z, y, x in voxels
Edge = Annotated[int, Field(ge=8)]
Normalisation = Literal[
    "zscore", "percentile", "clipped", "log", "ratio", "asinh", "snr", "texture"
]

# Ends in -ens: ensembles. Begins with pack-: encoders that come from elsewhere.
PretextName = Annotated[
    str, StringConstraints(pattern=r"^(?!.*-ens\Z)(?!pack-)[a-z0-9][a-z0-9_-]*\Z")
]
WayName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*\Z")]


class Named(Model):
    """A section whose further keys belong to the code that its name chooses.

    They are checked there, against the options of that network or task.
    """

    model_config = pydantic.ConfigDict(extra="allow")

    @property
    def options(self) -> dict[str, Any]:
        """The further keys, as the file has them."""
        return dict(self.model_extra or {})


class Network(Named):
    """A network by name; its other keys are options of that network."""

    name: str = Field(description="of learning/networks: unet, dynunet, segresnet, …")


class Input(Model):
    """Images as the network sees them."""

    window: tuple[Edge, Edge, Edge] = Field(description="voxels (z,y,x) that are learnt from")
    normalisation: Normalisation = Field(
        description="mapping of grey values by constants of the whole image (docs/recipes.md)"
    )
    resample: tuple[Positive, Positive, Positive] | None = Field(
        None, description="factors (z,y,x) by which images are scaled first; none: as they are"
    )


class Optimisation(Model):
    """One training loop; times in seconds, intervals in steps."""

    steps: Count = Field(description="weight updates")
    batch: Count = Field(description="windows a step, over all processes and accumulated parts")
    optimiser: Literal["adamw", "sgd"] = Field(
        "adamw", description="sgd: momentum 0.99, Nesterov, as nnU-Net"
    )
    weight_decay: NotNegative = Field(0.01, description="of weights, not of biases and norms")
    warmup: Share = Field(0.05, description="share of the steps in which the rate rises")
    final_rate: Share = Field(
        0.01, description="share of the learning rate at which the cosine ends"
    )
    clip: NotNegative = Field(1.0, description="largest norm of the gradient; 0: not clipped")
    accumulate: Count = Field(1, description="parts that a batch is computed in")
    average: Share = Field(
        0.0, description="decay of averaged weights, which are then kept; 0: none"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="of products and convolutions; auto: the fastest that is safe"
    )
    channels_last: bool = Field(False, description="memory layout of images and weights")
    compile: bool = Field(False, description="compile the network by torch.compile")
    deterministic: bool = Field(False, description="the same bits on every run of a GPU; slower")
    device: str = Field("auto", description="auto: a GPU where there is one, else the CPU")
    workers: Number | None = Field(
        None,
        description="processes that read and draw ahead; 0: a thread; none: all but two of the "
        "job's threads where a GPU trains, else 0",
    )
    log_every: Count = Field(20, description="steps between rows of the history")
    save_every: Number = Field(0, description="steps between checkpoints; 0: by time alone")
    save_every_s: NotNegative = Field(300.0, description="seconds between checkpoints")

    def rate(self, step: int, waits: float = 0.0) -> float:
        """Share of the learning rate at step `step` of 0…steps-1: linear warm-up, then cosine.

        waits: share of the steps for which a part of the network waits; it then has a warm-up of
        its own, below the same cosine.
        """
        warmup = max(1, round(self.warmup * self.steps))
        if waits:
            begun = step - round(waits * self.steps)
            return 0.0 if begun < 0 else min(1.0, (begun + 1) / warmup) * self.rate(step)
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(1, self.steps - warmup)
        return self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * progress))

    def decisive(self) -> dict[str, Any]:
        """The settings that the learnt weights depend on, as plain data."""
        return self.model_dump(mode="json", exclude=WITHOUT_EFFECT)


WITHOUT_EFFECT = {"workers", "log_every", "save_every", "save_every_s"}  # on the weights


class Pretext(Optimisation, Named):
    """A pretext task with its training; its other keys are options of that task."""

    task: str = Field(description="of learning/pretext: masked, restore, simclr, …")
    learning_rate: NotNegative = Field(description="at the end of the warm-up")
    brightness_bias: Share = Field(
        0.5, description="share of the windows that are drawn by brightness, not from all tissue"
    )
    augment: Augmentation = Field(
        Augmentation(), description="of the images that are learnt from, or of each view"
    )
    volumes: Count | None = Field(
        None, description="learn from so many volumes, drawn by the seed; none: from all"
    )
    groups: Literal["own", "all"] = Field(
        "own", description="whose volumes: the target's group alone, or every group's"
    )


class Collaboration(Model):
    """Unannotated volumes in fine-tuning, labelled by a slow copy of the network, the teacher."""

    consistency: NotNegative = Field(1.0, description="weight: same probabilities (mean teacher)")
    pseudo_labels: NotNegative = Field(0.0, description="weight: the teacher's labels (FixMatch)")
    multiscale: NotNegative = Field(0.0, description="weight: same at half the resolution")
    confidence: Share = Field(0.95, description="of the teacher, for a pseudo-label")
    momentum: Share = Field(0.99, description="of the teacher's weights")
    start: Share = Field(
        0.25, description="share of the steps that labels alone take; full weight at twice it"
    )
    brightness_bias: Share = Field(0.5, description="as in a pretext")
    augment: Augmentation = Field(
        Augmentation(), description="of what the network is shown, not the teacher"
    )

    @model_validator(mode="after")
    def _agrees_in_some_way(self) -> Self:
        if not self.consistency + self.pseudo_labels + self.multiscale:
            raise ValueError(
                "expected a weight above 0 for consistency, pseudo_labels or multiscale, found none"
            )
        return self


class Way(Model):
    """A way to fine-tune that is tried beside others; what it leaves out is fine-tuning's own."""

    slower: Share = Field(1.0, description="factor on each of the learning rates")
    warmup: Share | None = Field(None, description="as in fine-tuning")
    transfer: Literal["encoder", "encoder+decoder"] | None = Field(
        None, description="as in fine-tuning"
    )
    freeze_encoder: bool | None = Field(None, description="as in fine-tuning")
    encoder_waits: Share | None = Field(None, description="as in fine-tuning")
    encoder_rate: Share | None = Field(None, description="as in fine-tuning")
    layer_decay: Share | None = Field(None, description="as in fine-tuning")


class Finetune(Optimisation):
    """Fine-tuning: its training, its loss, and how its result is chosen."""

    learning_rates: Annotated[tuple[NotNegative, ...], Field(min_length=1)] = Field(
        description="each is trained in full; the best on validation is kept"
    )
    augment: Augmentation = Field(Augmentation(), description="of the annotated windows")
    foreground: Share = Field(0.67, description="share of windows around a foreground voxel")
    annotated_margin: Number | None = Field(
        None,
        description="voxels around the labels' bounding box that count as annotated; none: all do",
    )
    dice: NotNegative = Field(1.0, description="weight of the Dice loss")
    cross_entropy: NotNegative = Field(1.0, description="weight of the cross entropy")
    cldice: NotNegative = Field(0.0, description="weight of the centreline Dice loss")
    batch_dice: bool = Field(False, description="Dice over a batch instead of each window")
    validations: Count = Field(10, description="how often, evenly over the steps")
    inference_window: Size | None = Field(
        None, description="voxels (z,y,x) of validation and prediction; none: as in training"
    )
    metric: Literal["dice", "pooled_dice"] = Field(
        "dice", description="that validation chooses by: mean over patches, or of all voxels"
    )
    collaboration: Collaboration | None = Field(
        None, description="learn from unannotated volumes too; none: from labels alone"
    )
    min_component_voxels: Number = Field(0, description="smaller components are removed")
    transfer: Literal["encoder", "encoder+decoder"] = Field(
        "encoder", description="weights that are taken over, at most those that a pretext trains"
    )
    freeze_encoder: bool = Field(False, description="leave the encoder as it was pretrained")
    encoder_waits: Share = Field(
        0.0, description="share of the steps in which the decoder alone learns, then both do"
    )
    encoder_rate: Share = Field(1.0, description="of the learning rate, for the encoder")
    layer_decay: Share = Field(
        1.0, description="of the rate, from each layer of the encoder to the one before"
    )
    ways: dict[WayName, Way] = Field(
        {},
        description="each is trained in full at each learning rate, for every init alike; the best "
        "on validation is kept; none: one way, as above",
    )

    def attempts(self, pretrained: bool = True) -> dict[str, Finetune]:
        """What is trained in full, by name: every way at every rate; each has one rate, no ways.

        pretrained: whether there is an encoder. Without one, ways that differ in nothing but what
        is transferred are the same training, which is then done once.
        """
        found = {}
        for name, way in (self.ways or {"": Way()}).items():
            changes = way.model_dump(exclude_none=True, exclude={"slower"})
            for rate in (rate * way.slower for rate in self.learning_rates):
                settings = {"learning_rates": (rate,), "ways": {}} | changes
                attempt = f"{name}-rate-{rate:g}" if name else f"rate-{rate:g}"
                if not pretrained:
                    settings["transfer"] = "encoder"
                each = self.model_copy(update=settings)
                if pretrained or each not in found.values():
                    found[attempt] = each
        return found


class _Part(Model):
    """The sections that encoders and models depend on alike."""

    recipe_version: Count = Field(
        description="raise it when the code behind the recipe computes something else"
    )
    network: Network
    input: Input


class Recipe(_Part):
    """A method that this library trains, complete, at one size."""

    pretexts: dict[PretextName, Pretext] = Field(description="each gives an init of its name")
    finetune: Finetune

    @model_validator(mode="after")
    def _quarter_turns_need_square_windows(self) -> Self:
        """Checked here, since fine-tuning would find it only after pretraining."""
        _, height, width = self.input.window
        if self.finetune.augment.rotate90.probability and height != width:
            raise ValueError(
                "finetune: augment: rotate90: expected input.window as wide as high, "
                f"found {list(self.input.window)} (rotate90: 0 switches it off)"
            )
        return self

    @property
    def in_short(self) -> str:
        """Network, windows, and steps, batch and rates of each training, in a line."""
        window = "×".join(map(str, self.input.window))
        rates = " or ".join(f"{rate:g}" for rate in self.finetune.learning_rates)
        trainings = [
            f"{name} {pretext.steps} steps of {pretext.batch}, rate {pretext.learning_rate:g}"
            for name, pretext in self.pretexts.items()
        ]
        ways = ", ".join(self.finetune.ways)
        trainings.append(
            f"fine-tuning {self.finetune.steps} steps of {self.finetune.batch}, rate {rates}"
            + (f", in the best of these ways: {ways}" if ways else "")
        )
        return f"{self.network.name}, windows of {window} voxels; " + "; ".join(trainings)

    def pretraining(self, pretext: str) -> PretrainingRecipe:
        """The part that an encoder depends on, beside its volumes, and no more."""
        settings = self.pretexts[pretext].model_copy(update={"volumes": None, "groups": "own"})
        return PretrainingRecipe(
            recipe_version=self.recipe_version,
            network=self.network,
            input=self.input,
            pretext=settings,
        )

    def finetuning(self) -> FinetuningRecipe:
        """The part that a fine-tuned model depends on, and no more."""
        return FinetuningRecipe(
            recipe_version=self.recipe_version,
            network=self.network,
            input=self.input,
            finetune=self.finetune,
            pretraining_steps=max((p.steps for p in self.pretexts.values()), default=0),
        )


class PretrainingRecipe(_Part):
    """The part of a recipe that an encoder depends on."""

    pretext: Pretext

    def with_pretext(self, **changes: Any) -> PretrainingRecipe:
        """The same with some of the pretext's settings changed."""
        return self.model_copy(update={"pretext": self.pretext.model_copy(update=changes)})


class FinetuningRecipe(_Part):
    """The part of a recipe that a fine-tuned model depends on."""

    finetune: Finetune
    pretraining_steps: Number = Field(description="that `scratch-long` trains in addition")
