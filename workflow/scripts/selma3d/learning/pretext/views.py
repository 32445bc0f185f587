"""Views: crops of one window, augmented apart, that an encoder should describe alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...challenge.checking import Model
from ...system.errors import InputError
from ...system.randomness import uniform
from ..networks import Segmenter
from ..task import Batch
from .base import Pretext, Size, Windows, generators, train_only
from .processes import BatchStandardised


class ViewTask(Pretext):
    """A task on an encoder's features of several views; the decoder stays as it is."""

    trains = "encoder"

    def __init__(self, network: Segmenter, windows: Windows, options: Model) -> None:
        super().__init__(network, windows, options)
        train_only(network, network.encoder_prefixes)

    def view_size(self, given: Size | None, share: float, key: str) -> Size:
        """Return the size of a view, by default about `share` of the window.

        Raises InputError where it does not suit the network or does not lie in the window.
        """
        window, divisor = self.windows.size, self.network.divisor
        multiples = [max(1, int(share * n / divisor)) for n in window]
        if max(multiples) == 1:
            multiples = [min(2, n // divisor) for n in window]
        size = given or tuple(multiple * divisor for multiple in multiples)
        self.network.check_window(size, key)
        if any(s > n for s, n in zip(size, window, strict=True)):
            raise InputError(
                f"{key}: expected no more than the window {list(window)}, found {list(size)}"
            )
        return size

    def views(self, images: Tensor, batch: Batch, seed: int, size: Size, *names: str) -> Tensor:
        """Draw one view a name of every image: (len(names)·B,1,*size), all of a name together."""
        views = []
        for name in names:
            drawn = generators(batch, seed, f"{name}/crop")
            view = crop(images, random_corners(drawn, images.shape[2:], size), size)
            views.append(self.augmented(view, batch, seed, name))
        return torch.cat(views)


def random_corners(
    drawn: Sequence[torch.Generator], window: Sequence[int], size: Size, step: Size = (1, 1, 1)
) -> list[Size]:
    """Draw the first voxel of a crop in every window, a multiple of `step` along each axis."""
    places = torch.tensor([(n - s) // t + 1 for n, s, t in zip(window, size, step, strict=True)])
    return ((uniform(drawn, 3) * places).long() * torch.tensor(step)).tolist()


def crop(images: Tensor, corners: Sequence[Size], size: Size) -> Tensor:
    """Cut one crop (Z,Y,X) from every image (B,1,Z,Y,X)."""
    return torch.stack(
        [
            image[(..., *(slice(c, c + s) for c, s in zip(corner, size, strict=True)))]
            for image, corner in zip(images, corners, strict=True)
        ]
    )


def projection(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Make a head for descriptions (…,inputs)."""
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=False), BatchStandardised(), nn.GELU(),
        nn.Linear(hidden, outputs),
    )  # fmt: skip
