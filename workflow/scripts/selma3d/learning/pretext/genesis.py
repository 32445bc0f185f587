"""Models Genesis (arXiv 2004.07882): restore an image from four transformations.

Non-linear intensity, local shuffling, in-painting and out-painting, with the probabilities of the
authors' configuration. Their code holds images in [0, 1]; here a window's own range stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from pydantic import Field
from torch import Generator, Tensor

from ...challenge.recipe import Share
from ...system.randomness import torch_generators
from ..task import Batch, Drawn, within
from .base import Size, seeds
from .reconstruction import Reconstruction

_CURVE_POINTS = 256
_LARGEST_SHUFFLE = 6  # voxels along each axis; the authors: a tenth of windows of 64 and 32
_MOST_PAINTED = 5  # regions a window


def _inside(length: int) -> tuple[int, int]:
    """Shortest and longest of regions that are painted: a sixth to a third."""
    return length // 6, length // 3


def _outside(length: int) -> tuple[int, int]:
    """The same of regions that are left, all around being painted: three to four sevenths."""
    return 3 * length // 7, 4 * length // 7


class Genesis(Reconstruction):
    """Restore the image; the loss is that of all voxels."""

    class Options(Reconstruction.Options):
        nonlinear: Share = Field(0.9, description="probability of a non-linear intensity curve")
        inverted: Share = Field(0.5, description="share of these curves that fall")
        shuffle: Share = Field(0.5, description="probability of shuffled voxels")
        paint: Share = Field(0.9, description="probability of painting")
        outpaint: Share = Field(0.8, description="share of it that is outside of regions")

    def draw_corruption(self, indices: Sequence[int], seed: int) -> Drawn:
        drawn = torch_generators(seed, indices, "genesis")
        plans, curves = zip(*(self._planned(generator) for generator in drawn), strict=True)
        return {
            "genesis/plan": torch.tensor(plans),
            "genesis/curve": torch.stack(curves),
            "genesis/seeds": seeds(seed, indices, "genesis/voxels"),
        }

    def corrupt(self, clean: Tensor, batch: Batch) -> tuple[Tensor, None]:
        low = clean.amin(dim=(1, 2, 3, 4), keepdim=True)
        range_ = (clean.amax(dim=(1, 2, 3, 4), keepdim=True) - low).clamp(min=1e-6)
        unit = (clean - low) / range_
        drawn = within("genesis", batch)
        voxels = [torch.Generator(clean.device).manual_seed(n) for n in drawn["seeds"].tolist()]
        windows = zip(unit, drawn["plan"].tolist(), drawn["curve"], voxels, strict=True)
        changed = [transformed(*window) for window in windows]
        return torch.stack(changed) * range_ + low, None

    def _planned(self, generator: Generator) -> tuple[list[int], Tensor]:
        """Draw what happens to one window: numbers as `transformed` reads them, and a curve."""

        def happens(probability: float) -> bool:
            return float(torch.rand((), generator=generator)) < probability

        window, options = self.windows.size, self.options
        shuffling, bent, outside, boxes = [0] * 6, None, False, []
        if happens(options.shuffle):
            block = [1 + _integer(generator, _LARGEST_SHUFFLE) for _ in range(3)]
            shuffling = block + [_integer(generator, n) for n in block]
        if happens(options.nonlinear):
            bent = curve(generator, falling=happens(options.inverted))
        if happens(options.paint):
            outside = happens(options.outpaint)
            boxes = regions(generator, window, _outside if outside else _inside)
        painting = [number for box in boxes for number in box]
        painting += [0] * (6 * _MOST_PAINTED - len(painting))
        plan = [*shuffling, int(bent is not None), int(outside), len(boxes), *painting]
        return plan, torch.linspace(0, 1, _CURVE_POINTS) if bent is None else bent


def transformed(image: Tensor, plan: list[int], curve: Tensor, voxels: Generator) -> Tensor:
    """Transform one image (1,Z,Y,X) in [0, 1]; `voxels` draws on the image's device.

    plan: block (z,y,x) of shuffled voxels, or zeros, and its offset; whether intensities follow the
    curve (points,); whether all outside of boxes is painted, or they are; their number; each one's
    first voxel (z,y,x) and lengths.
    """
    block, offset, (is_bent, outside, count) = plan[:3], plan[3:6], plan[6:9]
    if block[0]:
        image = shuffled(image, block, offset, voxels)
    if is_bent:
        image = recurved(image, curve)
    if count:
        boxes = [plan[first : first + 6] for first in range(9, 9 + 6 * count, 6)]
        image = painted(image, boxes, bool(outside), voxels)
    return image


def shuffled(image: Tensor, size: list[int], offset: list[int], voxels: Generator) -> Tensor:
    """Shuffle the voxels within blocks of a size (z,y,x) from an offset on: (1,Z,Y,X)."""
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


def curve(generator: Generator, falling: bool) -> Tensor:
    """A monotonous cubic Bézier curve with two drawn points, (points,) in [0, 1]."""
    t = torch.linspace(0, 1, _CURVE_POINTS)
    weights = torch.stack([3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3])
    points = torch.rand(2, 2, generator=generator)
    ends = torch.cat([points, torch.ones(1, 2)])
    # No matrix product: automatic mixed precision would round its result.
    x, y = (ends.T[:, :, None] * weights).sum(1).sort(dim=1).values
    steps = torch.linspace(0, 1, _CURVE_POINTS)
    right = torch.searchsorted(x, steps).clamp(1, _CURVE_POINTS - 1)
    share = (steps - x[right - 1]) / (x[right] - x[right - 1]).clamp(min=1e-6)
    drawn = torch.lerp(y[right - 1], y[right], share.clamp(0, 1))
    return drawn.flip(0) if falling else drawn


def recurved(image: Tensor, curve: Tensor) -> Tensor:
    """Map intensities in [0, 1] by a curve (points,)."""
    place = image * (_CURVE_POINTS - 1)
    below = place.long().clamp(0, _CURVE_POINTS - 2)
    return torch.lerp(curve[below], curve[below + 1], (place - below).clamp(0, 1))


def painted(image: Tensor, boxes: list[list[int]], outside: bool, voxels: Generator) -> Tensor:
    """Replace boxes, or all outside of them, by uniform noise: (1,Z,Y,X)."""
    inside = torch.zeros_like(image, dtype=torch.bool)
    for box in boxes:
        sides = (slice(s, s + n) for s, n in zip(box[:3], box[3:], strict=True))
        inside[(0, *sides)] = True
    noise = _uniform(image, voxels)
    return torch.where(inside, image, noise) if outside else torch.where(inside, noise, image)


def regions(
    generator: Generator, window: Size, lengths: Callable[[int], tuple[int, int]]
) -> list[list[int]]:
    """Draw one to five boxes in a window: first voxel (z,y,x) and lengths of each."""
    boxes = []
    for _ in range(1 + _integer(generator, _MOST_PAINTED)):
        starts, sizes = [], []
        for n in window:
            shortest, longest = lengths(n)
            sizes.append(max(1, shortest + _integer(generator, longest - shortest + 1)))
            starts.append(_integer(generator, n - sizes[-1] + 1))
        boxes.append(starts + sizes)
    return boxes


def _uniform(image: Tensor, generator: Generator) -> Tensor:
    return torch.rand(image.shape, generator=generator, device=image.device)


def _integer(generator: Generator, below: int) -> int:
    return int(torch.randint(below, (), generator=generator))


TASK = Genesis
