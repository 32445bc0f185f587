"""Views: crops of one window, augmented apart, that an encoder should describe alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...challenge.checking import Model
from ...system.errors import InputError
from ...system.randomness import torch_generators, uniform
from .. import augmentation
from ..networks import Segmenter
from ..passes import Pass
from ..task import Drawn
from .base import Pretext, Size, Windows, train_only
from .processes import BatchStandardised

PAIR = ("first", "second")  # views of a window


class ViewTask(Pretext):
    """A task on an encoder's features of several views; the decoder stays as it is.

    By default of a pair of them, of `_view_size` voxels (Z,Y,X).
    """

    _view_size: Size

    trains = "encoder"
    of_whole_batch = True

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

    def draw_views(
        self, indices: Sequence[int], seed: int, size: Size, names: Sequence[str]
    ) -> Drawn:
        """Draw one view a name of every sample, all of a name together: corners, augmentation."""
        corners = [
            random_corners(torch_generators(seed, indices, f"{name}/crop"), self.windows.size, size)
            for name in names
        ]
        samples = [(index, name) for name in names for index in indices]
        drawn = augmentation.draw(seed, samples, self.windows.augmentation, size)
        return drawn | {"corners": torch.cat(corners)}

    def draw(self, indices: Sequence[int], seed: int) -> Drawn:
        return self.draw_views(indices, seed, self._view_size, PAIR)

    def passes_of_views(self, size: Size, number: int) -> list[Pass]:
        """The passes of so many views of a window through the encoder that learns."""
        return [Pass(size, number, decoded=False)] if number else []

    def views(self, images: Tensor, drawn: Drawn, size: Size) -> Tensor:
        """Cut the views of images (B,1,Z,Y,X) and augment them all at once, (views·B,1,*size)."""
        return self.augmented(crop(images, drawn["corners"].tolist(), size), drawn)


def random_corners(
    drawn: Sequence[torch.Generator], window: Sequence[int], size: Size, step: Size = (1, 1, 1)
) -> Tensor:
    """Draw the first voxel (B,3) of a crop in every window, a multiple of `step` on each axis."""
    places = torch.tensor([(n - s) // t + 1 for n, s, t in zip(window, size, step, strict=True)])
    return (uniform(drawn, 3) * places).long() * torch.tensor(step)


def crop(images: Tensor, corners: Sequence[Size], size: Size) -> Tensor:
    """Cut crops (Z,Y,X) from images (B,1,Z,Y,X), in turn until there is one for each corner."""
    return torch.stack(
        [
            images[number % len(images)][
                (..., *(slice(c, c + s) for c, s in zip(corner, size, strict=True)))
            ]
            for number, corner in enumerate(corners)
        ]
    )


def projection(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Make a head for descriptions (…,inputs)."""
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=False), BatchStandardised(), nn.GELU(),
        nn.Linear(hidden, outputs),
    )  # fmt: skip
