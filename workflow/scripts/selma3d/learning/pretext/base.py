"""The part that all pretext tasks share: images, network, and the spread of its features."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from ...challenge.augmentation import Augmentation
from ...challenge.checking import Model
from ...challenge.recipe import Normalisation, Size
from ...system.errors import InputError
from ...system.randomness import generator_seed
from .. import augmentation
from ..networks import Segmenter
from ..networks.segmenter import Parts
from ..passes import Pass
from ..sampling import prepare
from ..task import Batch, Drawn, Task, under

__all__ = ["Pretext", "Size", "Windows"]

Level = Annotated[int, Field(ge=-9, le=-1)]
Temperature = Annotated[float, Field(ge=0.01, le=1)]


@dataclass(frozen=True)
class Windows:
    """The sampler's windows as they reach a task.

    size: (Z,Y,X) voxels; normalisation: the mapping of intensities; augmentation: of the images
    that are learnt from or, in tasks that compare views, of each view.
    """

    size: Size
    normalisation: Normalisation
    augmentation: Augmentation = field(default_factory=Augmentation)


class Pretext(Task):
    """A task that learns from images alone; `trains` says what is worth transferring from it.

    Options: the task's own keys of a recipe's pretext.
    """

    class Options(Model):
        pass

    trains: Parts

    def __init__(self, network: Segmenter, windows: Windows, options: Options) -> None:
        super().__init__()
        self.options = options
        self.network = network
        self.windows = windows

    def trained_network(self) -> Segmenter:
        return self.network

    def passes(self) -> list[Pass]:
        """What a step does with a window; by default the whole of it goes through the network.

        `make estimate` counts a task's operations by them.
        """
        return [Pass(self.windows.size)]

    def normalised(self, batch: Batch) -> Tensor:
        """Return the batch's windows as the network takes them, (B,1,Z,Y,X) float32."""
        size, mapping = self.windows.size, self.windows.normalisation
        return prepare(batch, window=size, normalisation=mapping)["image"]

    def draw_augmentation(self, indices: Sequence[int], seed: int, purpose: str) -> Drawn:
        """Draw the augmentation of whole windows, as the recipe says."""
        samples = [(index, purpose) for index in indices]
        drawn = augmentation.draw(seed, samples, self.windows.augmentation, self.windows.size)
        return under(purpose, drawn)

    @staticmethod
    def augmented(images: Tensor, drawn: Drawn) -> Tensor:
        """Augment each image by its own draws."""
        return augmentation.augment(images, None, drawn)[0]


def seeds(seed: int, indices: Sequence[int], purpose: str) -> Tensor:
    """The seed of each sample (B,), for what is drawn on the device."""
    return torch.tensor([generator_seed(seed, index, purpose) for index in indices])


def check_level(level: int, network: Segmenter) -> None:
    """Raise InputError unless the network's encoder has this feature map; -1 is the coarsest."""
    if -level > (number := len(network.feature_channels)):
        raise InputError(f"level: expected -{number} to -1, found {level}")


def train_only(network: Segmenter, prefixes: tuple[str, ...]) -> None:
    """Freeze all parameters outside `prefixes`: DDP waits for a gradient of all the others."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(prefixes))


def freeze_beyond(network: Segmenter, level: int, size: Size) -> None:
    """Freeze what a feature map of images (Z,Y,X) is not computed from, for the same reason."""
    shapes = copy.deepcopy(network).to("meta")
    shapes.encode(torch.zeros(1, 1, *size, device="meta"))[level].sum().backward()
    for own, seen in zip(network.parameters(), shapes.parameters(), strict=True):
        own.requires_grad_(seen.grad is not None)


def pooled(features: list[Tensor]) -> Tensor:
    """Describe images by the mean and maximum of every channel of all feature maps, (B,D).

    The mean alone says little after instance normalisation, which fixes it before the activation.
    """
    maps = [f.mean(dim=(2, 3, 4)) for f in features] + [f.amax(dim=(2, 3, 4)) for f in features]
    return torch.cat(maps, dim=1)


@torch.no_grad()
def spread(vectors: Tensor) -> Tensor:
    """Standard deviation over L2-normalised vectors (N,D), mean over D, times √D.

    1 where directions are spread evenly, 0 where the representation has collapsed to one; NaN for
    a single vector. After arXiv 2011.10566, section 4.1.
    """
    if len(vectors) < 2:
        return vectors.new_full((), torch.nan)
    directions = nn.functional.normalize(vectors.float(), dim=1)
    return directions.std(dim=0).mean() * directions.shape[1] ** 0.5
