"""A trained model as its file describes it, ready to segment."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from ..challenge.augmentation import Positive
from ..challenge.recipe import Network, Normalisation
from ..images import CONTRACT_VERSION, Intensity
from ..images.storage import VoxelSize
from ..learning import networks, sampling
from ..learning.device import Compute, memory_for, predict_alike, set_threads
from ..learning.model_files import (
    SPARE_WEIGHTS,
    Form,
    at_most_weights,
    check_form,
    check_window,
    read_weights,
)
from ..learning.windows import AtOnce, slide
from ..system.errors import InputError
from .settings import DEFAULT, WindowSettings

# An image goes to a GPU only where it takes less than half of what is free.
_FOR_OTHERS = "other jobs took what was free (resources.jobs_per_gpu: 1, or a larger GPU)"


class _Sees(Form):
    """Images as the network sees them."""

    inference_window: tuple[int, int, int] = Field(description="voxels (z,y,x)")
    normalisation: Normalisation
    resample: tuple[Positive, Positive, Positive] | None = None


class _Structure(Form):
    channel: int = Field(ge=0)


class _Facts(Form):
    """What a prediction needs beside the network."""

    input: _Sees
    threshold: float = Field(ge=0, le=1)
    min_component_voxels: int = Field(0, ge=0)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool = False
    structures: dict[str, _Structure]


@dataclass(frozen=True)
class TrainedModel:
    """A network with everything that turns raw voxels into a mask."""

    path: Path
    network: nn.Module
    compute: Compute
    window: tuple[int, int, int]
    normalisation: str
    resample: tuple[float, float, float] | None
    threshold: float
    min_component_voxels: int
    channels: dict[str, int]
    contents: dict[str, Any]
    at_once: AtOnce

    def channel(self, structure: str) -> int:
        """The image channel that the network sees of a structure; InputError if it knows none."""
        if structure not in self.channels:
            raise InputError(
                f"{self.path}: expected a model for {structure!r}, "
                f"found one for {', '.join(self.channels)}"
            )
        return self.channels[structure]

    def with_channel(self, structure: str, channel: int) -> TrainedModel:
        """The same model for images that show a structure in another channel."""
        return replace(self, channels=self.channels | {structure: channel})

    def training_voxel_sizes_um(self, structure: str) -> list[VoxelSize]:
        """Sizes (z,y,x) of the voxels that it learnt a structure from; none where unknown.

        Of a structure that it did not learn from: those of all that it did.
        """
        by_structure = self.contents.get("training_voxel_sizes_um", {})
        learnt = [structure] if structure in by_structure else list(by_structure)
        return [tuple(size) for name in learnt for size in by_structure[name]]

    @torch.inference_mode()
    def probability(
        self,
        image: np.ndarray,
        intensity: Intensity,
        settings: WindowSettings = DEFAULT,
    ) -> np.ndarray:
        """Probability of foreground, float32 (Z,Y,X), of a raw one-channel image (Z,Y,X).

        Windows are blended with Gaussian weights. Images smaller than the window are padded by
        reflection. Raises InputError for an image that is not 3D, finite and non-empty.
        """
        if image.ndim != 3 or 0 in image.shape:
            raise InputError(f"image: expected three axes (Z,Y,X), none empty, found {image.shape}")
        if not np.isfinite(image).all():
            raise InputError("image: expected finite intensities, found NaN or infinity")
        seen = self.normalised(image, intensity)
        if self.resample is not None:
            grid = [max(1, round(n * f)) for n, f in zip(image.shape, self.resample, strict=True)]
            seen = sampling.rescale(seen, grid)
        views = list(_mirrors()) if settings.flips else [()]
        with memory_for(lambda: f"{self.path}: GPU out of memory: {_FOR_OTHERS}"):
            mean = sum(self._slide(seen, axes, settings) for axes in views) / len(views)
        probability = sampling.rescale(mean, image.shape)[0, 0].numpy()
        self.check_finite(probability)
        return probability

    def check_finite(self, probability: np.ndarray) -> None:
        """Raise InputError for a prediction that is no number: no mask could be decided by it."""
        if not np.isfinite(probability).all():
            raise InputError(
                f"{self.path}: expected finite predictions at {self.compute.precision}, found NaN "
                "(device: cpu computes in fp32; or train it again in fp32)"
            )

    def normalised(self, image: np.ndarray, intensity: Intensity) -> Tensor:
        """What the network sees, float32 (1,1,Z,Y,X), of raw voxels (Z,Y,X).

        `intensity` holds the constants of the whole image that the voxels are from.
        """
        raw = torch.from_numpy(image.astype(np.float32))[None, None]
        constants = torch.from_numpy(sampling.intensity_vector(intensity))[None]
        return sampling.normalise(raw, constants, self.normalisation)

    def _slide(self, image: Tensor, axes: Sequence[int], settings: WindowSettings) -> Tensor:
        flipped = image.flip(axes) if axes else image
        with self.compute.autocast():
            probability = slide(
                flipped,
                self.window,
                self.probability_of_windows,
                overlap=settings.overlap,
                batch=settings.batch,
                device=self.compute.device,
            )
        return probability.flip(axes) if axes else probability

    def probability_of_windows(self, windows: Tensor) -> Tensor:
        """Probability of foreground, float32, of normalised windows (B,1,Z,Y,X).

        As many at a time as the device has memory for; GpuMemoryError where that is not one.
        """
        return self.at_once.predict(lambda part: torch.sigmoid(self.network(part).float()), windows)


def load_model(
    path: Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    channels: Mapping[str, int] | None = None,
) -> TrainedModel:
    """Read a model file; InputError if it is truncated, no model, or of another contract.

    channels: of structures that the model segments without having learnt from them.
    """
    if threads is not None:
        set_threads(threads)
    contents = read_weights(path, "a model file")
    if contents.get("kind") != "model":
        raise InputError(f"{path}: expected a fine-tuned model, found no file of kind 'model'")
    if contents.get("contract_version") != CONTRACT_VERSION:
        raise InputError(
            f"{path}: expected contract version {CONTRACT_VERSION}, "
            f"found {contents.get('contract_version')}"
        )
    sees = contents.get("input")
    if isinstance(sees, Mapping) and "inference_window" not in sees:
        raise InputError(
            f"{path}: input.inference_window: expected, found only "
            f"{', '.join(map(str, sees))} (an earlier version's model: train it again)"
        )
    facts = check_form(_Facts, contents, Path(path))
    check_window(facts.input.inference_window, path)
    network = _network(contents, path)
    if device == "auto" and trained_with(contents).get("device") == "cpu":
        device = "cpu"  # as the recipe says
    compute = Compute.of_model(device, facts.precision, facts.channels_last)
    predict_alike()
    learnt = {name: structure.channel for name, structure in facts.structures.items()}
    return TrainedModel(
        path=Path(path),
        network=compute.place(network).eval(),
        compute=compute,
        window=facts.input.inference_window,
        normalisation=facts.input.normalisation,
        resample=facts.input.resample,
        threshold=facts.threshold,
        min_component_voxels=facts.min_component_voxels,
        channels=dict(channels or {}) | learnt,
        contents=contents,
        at_once=AtOnce(str(path)),
    )


def trained_with(contents: Mapping[str, Any]) -> Mapping[str, Any]:
    """The recipe's section on fine-tuning, as a model file records it; empty in older files."""
    recipe = contents.get("recipe")
    section = recipe.get("finetune") if isinstance(recipe, Mapping) else None
    return section if isinstance(section, Mapping) else {}


def _network(contents: Mapping[str, Any], path: Path) -> nn.Module:
    """The network of a model file; InputError where its weights are not the file's."""
    try:
        spec = Network(**contents["network"])
        # No weight takes less than a byte of the file; refused before it is filled.
        with at_most_weights(path.stat().st_size + SPARE_WEIGHTS):
            network = networks.build(spec)
        network.load_state_dict(contents["state"])
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise InputError(
            f"{path}: network: expected one that fits the weights in the file, found {reason}"
        ) from None
    return network


def _mirrors() -> list[tuple[int, ...]]:
    axes = (2, 3, 4)
    return [chosen for n in range(4) for chosen in itertools.combinations(axes, n)]
