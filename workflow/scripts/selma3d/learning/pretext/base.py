"""What all pretext tasks share: their images, their network, and the spread of its features."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from ...system.errors import InputError
from ...system.randomness import torch_generators
from ..augmentation import augment
from ..networks import Segmenter
from ..networks.options import Within
from ..networks.segmenter import Parts
from ..sampling import prepare
from ..task import Batch, Task

Size = tuple[int, int, int]
Level = Annotated[int, Within(-9, -1)]


@dataclass(frozen=True)
class Windows:
    """How the sampler's windows reach a task.

    size: (Z,Y,X) voxels; normalisation: the mapping of intensities; augmentation: settings of
    `augment`, for the images that are learnt from or, in tasks that compare views, for each view.
    """

    size: Size
    normalisation: str
    augmentation: dict[str, Any] = field(default_factory=dict)


class Pretext(Task):
    """A task that learns from images alone; `trains` says what is worth transferring from it."""

    trains: Parts

    def __init__(self, network: Segmenter, windows: Windows) -> None:
        super().__init__()
        self.network = network
        self.windows = windows

    def trained_network(self) -> Segmenter:
        return self.network

    def normalised(self, batch: Batch) -> Tensor:
        """Return the batch's windows as the network takes them, (B,1,Z,Y,X) float32."""
        size, mapping = self.windows.size, self.windows.normalisation
        with single_precision(batch["image"].device):
            return prepare(batch, window=size, normalisation=mapping)["image"]

    def augmented(
        self,
        images: Tensor,
        batch: Batch,
        seed: int,
        purpose: str,
        settings: dict[str, Any] | None = None,
    ) -> Tensor:
        """Augment each image by its own draws, as `settings` or else the recipe say.

        `purpose` separates the views of one image.
        """
        settings = self.windows.augmentation if settings is None else settings
        indices = batch["index"].tolist()
        with single_precision(images.device):
            return augment(
                images, None, seed=seed, indices=indices, settings=settings, purpose=purpose
            )[0]


def generators(
    batch: Batch, seed: int, purpose: str, device: torch.device | str = "cpu"
) -> list[torch.Generator]:
    """One generator a sample: on the CPU for parameters, on the images' device for voxels."""
    return torch_generators(seed, batch["index"].tolist(), purpose, device)


def check_level(level: int, network: Segmenter) -> None:
    """Raise InputError unless the network's encoder has this feature map; -1 is the coarsest."""
    if -level > (number := len(network.feature_channels)):
        raise InputError(f"level: expected -{number} to -1, found {level}")


def train_only(network: Segmenter, prefixes: tuple[str, ...]) -> None:
    """Freeze all parameters outside `prefixes`: DDP waits for a gradient of all the others."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(prefixes))


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


def single_precision(device: torch.device) -> torch.autocast:
    """Switch mixed precision off: losses and softmaxes are taken in float32."""
    return torch.autocast(device.type, enabled=False)
