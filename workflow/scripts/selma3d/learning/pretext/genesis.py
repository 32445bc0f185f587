"""Models Genesis (arXiv 2004.07882): restore an image from four transformations.

Non-linear intensity, local shuffling, in-painting and out-painting, with the probabilities of the
authors' configuration. Their code holds images in [0, 1]; here a window's own range stands for it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Generator, Tensor

from ...challenge.recipe import Share
from ..task import Batch
from .base import generators
from .reconstruction import Reconstruction

_CURVE_POINTS = 256
_LARGEST_SHUFFLE = 6  # voxels along each axis; the authors: a tenth of windows of 64 and 32
_MOST_PAINTED = 5  # regions a window


class Genesis(Reconstruction):
    """Restore the image; the loss is that of all voxels."""

    class Options(Reconstruction.Options):
        nonlinear: Share = Field(0.9, description="probability of a non-linear intensity curve")
        inverted: Share = Field(0.5, description="share of these curves that fall")
        shuffle: Share = Field(0.5, description="probability of shuffled voxels")
        paint: Share = Field(0.9, description="probability of painting")
        outpaint: Share = Field(0.8, description="share of it that is outside of regions")

    def corrupt(self, clean: Tensor, batch: Batch, seed: int) -> tuple[Tensor, None]:
        drawn = generators(batch, seed, "genesis")
        voxels = generators(batch, seed, "genesis/voxels", clean.device)
        low = clean.amin(dim=(1, 2, 3, 4), keepdim=True)
        range_ = (clean.amax(dim=(1, 2, 3, 4), keepdim=True) - low).clamp(min=1e-6)
        unit = (clean - low) / range_
        changed = [self._transformed(*each) for each in zip(unit, drawn, voxels, strict=True)]
        return torch.stack(changed) * range_ + low, None

    def _transformed(self, image: Tensor, generator: Generator, voxels: Generator) -> Tensor:
        """Transform one image (1,Z,Y,X) in [0, 1]; `voxels` draws on the image's device."""

        def happens(probability: float) -> bool:
            return float(torch.rand((), generator=generator)) < probability

        if happens(self.options.shuffle):
            image = shuffled(image, generator, voxels)
        if happens(self.options.nonlinear):
            image = recurved(image, generator, falling=happens(self.options.inverted))
        if happens(self.options.paint):
            painting = outpainted if happens(self.options.outpaint) else inpainted
            image = painting(image, generator, voxels)
        return image


def shuffled(image: Tensor, generator: Generator, voxels: Generator) -> Tensor:
    """Shuffle the voxels within blocks, of one size a window, at a drawn offset: (1,Z,Y,X)."""
    size = [1 + _integer(generator, _LARGEST_SHUFFLE) for _ in range(3)]
    offset = [_integer(generator, n) for n in size]
    inside = tuple(
        slice(o, o + (n - o) // b * b)
        for o, n, b in zip(offset, image.shape[1:], size, strict=True)
    )
    counts = [(s.stop - s.start) // b for s, b in zip(inside, size, strict=True)]
    blocks = image[(0, *inside)].reshape(counts[0], size[0], counts[1], size[1], counts[2], size[2])
    blocks = blocks.permute(0, 2, 4, 1, 3, 5)
    order = _uniform(blocks, voxels).flatten(3).argsort(dim=3)
    mixed = blocks.flatten(3).gather(3, order).view(blocks.shape)
    result = image.clone()
    result[(0, *inside)] = mixed.permute(0, 3, 1, 4, 2, 5).reshape(result[(0, *inside)].shape)
    return result


def recurved(image: Tensor, generator: Generator, falling: bool) -> Tensor:
    """Map intensities in [0, 1] by a monotonous cubic Bézier curve with two drawn points."""
    t = torch.linspace(0, 1, _CURVE_POINTS)
    weights = torch.stack([3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3])
    points = torch.rand(2, 2, generator=generator)
    ends = torch.cat([points, torch.ones(1, 2)])
    x, y = (ends.T @ weights).sort(dim=1).values
    steps = torch.linspace(0, 1, _CURVE_POINTS)
    right = torch.searchsorted(x, steps).clamp(1, _CURVE_POINTS - 1)
    share = (steps - x[right - 1]) / (x[right] - x[right - 1]).clamp(min=1e-6)
    curve = torch.lerp(y[right - 1], y[right], share.clamp(0, 1)).to(image.device)
    if falling:
        curve = curve.flip(0)
    place = image * (_CURVE_POINTS - 1)
    below = place.long().clamp(0, _CURVE_POINTS - 2)
    return torch.lerp(curve[below], curve[below + 1], (place - below).clamp(0, 1))


def inpainted(image: Tensor, generator: Generator, voxels: Generator) -> Tensor:
    """Replace regions, each a sixth to a third of every axis long, by uniform noise."""
    hidden = _regions(image, generator, lambda n: (n // 6, n // 3))
    return torch.where(hidden, _uniform(image, voxels), image)


def outpainted(image: Tensor, generator: Generator, voxels: Generator) -> Tensor:
    """Replace all but regions, each three to four sevenths of every axis long, by noise."""
    shown = _regions(image, generator, lambda n: (3 * n // 7, 4 * n // 7))
    return torch.where(shown, image, _uniform(image, voxels))


def _regions(
    image: Tensor, generator: Generator, lengths: Callable[[int], tuple[int, int]]
) -> Tensor:
    """Draw one to five boxes; True inside any of them, (1,Z,Y,X)."""
    inside = torch.zeros_like(image, dtype=torch.bool)
    for _ in range(1 + _integer(generator, _MOST_PAINTED)):
        box = [0]
        for n in image.shape[1:]:
            shortest, longest = lengths(n)
            length = max(1, shortest + _integer(generator, longest - shortest + 1))
            start = _integer(generator, n - length + 1)
            box.append(slice(start, start + length))
        inside[tuple(box)] = True
    return inside


def _uniform(image: Tensor, generator: Generator) -> Tensor:
    return torch.rand(image.shape, generator=generator, device=image.device)


def _integer(generator: Generator, below: int) -> int:
    return int(torch.randint(below, (), generator=generator))


TASK = Genesis
