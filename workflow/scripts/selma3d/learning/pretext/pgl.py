"""PGL (arXiv 2011.12640): describe the same place alike in two views of it.

As BYOL, but for every position of the feature map. Where a position of one view lies in the other
is known from the crops: these are drawn on the grid of the features, so no value is interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from ...challenge.recipe import Count, Size
from ...system.errors import InputError
from ...system.randomness import torch_generators, uniform
from .. import augmentation
from ..augmentation import GEOMETRIC
from ..networks import Segmenter
from ..task import Batch, Drawn, under, within
from .base import Level, Windows, check_level, freeze_beyond, spread
from .teacher import TeacherTask, constant_disagreement, disagreement
from .views import PAIR, crop, projection, random_corners


class PGL(TeacherTask):
    """Predict the teacher's features of the region that two views share; loss in [0, 4].

    Augmentations that move voxels change the window before its two views are cut, the others each
    view; each view is also flipped, and its features flipped back. The trivial predictor answers
    the mean target at every position.
    """

    class Options(TeacherTask.Options):
        view: Size | None = Field(
            None,
            description="voxels (z,y,x), more than half of the window, so that any two views "
            "overlap; none: about three quarters",
        )
        hidden: Count = Field(512, description="units of the projections' hidden layers")
        projected: Count = Field(128, description="numbers that a position is described by")
        level: Level = Field(-1, description="feature map that is compared; -1: the coarsest")

    def __init__(self, network: Segmenter, windows: Windows, options: Options) -> None:
        level, hidden, projected = options.level, options.hidden, options.projected
        check_level(level, network)
        head = projection(network.feature_channels[level], hidden, projected)
        super().__init__(network, windows, options, head, outputs=projected)
        self.predictor = projection(projected, hidden, projected)
        self._level, self._stride = level, network.feature_strides[level]
        self._view_size = self.view_size(options.view, 0.75, "view")
        if any(2 * v <= n for v, n in zip(self._view_size, windows.size, strict=True)):
            raise InputError(
                f"view: expected more than half of the window {list(windows.size)}, "
                f"found {list(self._view_size)}"
            )
        if level != -1:
            freeze_beyond(network, level, self._view_size)

    def draw(self, indices: Sequence[int], seed: int) -> Drawn:
        settings, window = self.windows.augmentation, self.windows.size
        whole = [(index, "window") for index in indices]
        drawn = under("window", augmentation.draw(seed, whole, settings.only(GEOMETRIC), window))
        others = settings.only(settings.operations.keys() - set(GEOMETRIC))
        samples = [(index, name) for name in PAIR for index in indices]
        drawn |= under("views", augmentation.draw(seed, samples, others, self._view_size))
        corners, flips = [], []
        for name in PAIR:
            own = torch_generators(seed, indices, f"{name}/crop")
            corners.append(random_corners(own, window, self._view_size, self._stride))
            flips.append((uniform(own, 3) < 0.5).long())
        return drawn | {"corners": torch.cat(corners), "flips": torch.cat(flips)}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        views, corners, flips = self._two_views(batch)
        features = positions(self.network.encode(views)[self._level], flips)
        answers = shared(self.predictor(self.head(features)), corners)
        targets = self._answers(views, corners, flips)
        self.remember(torch.cat(targets))
        targets = [target - self.centre for target in targets]
        loss = torch.stack(
            [disagreement(a, t).mean() for a, t in zip(answers, targets, strict=True)]
        ).mean()
        return {
            "loss": loss,
            "relative": loss.detach() / constant_disagreement(torch.cat(targets)).clamp(min=1e-12),
            "spread": spread(features.flatten(0, 3)),
        }

    def trivial_loss(self, batch: Batch) -> float:
        targets = torch.cat(self._answers(*self._two_views(batch)))
        return float(constant_disagreement(targets - self.centre))

    def _two_views(self, batch: Batch) -> tuple[Tensor, list[Size], list[list[int]]]:
        """Return views (2B,1,*view), and for each its corner in positions and its flipped axes."""
        images = self.augmented(self.normalised(batch), within("window", batch))
        at = batch["corners"].tolist()
        views = self.augmented(crop(images, at, self._view_size), within("views", batch))
        flips = [[axis for axis in range(3) if own[axis]] for own in batch["flips"].tolist()]
        views = flipped(views, [[axis + 1 for axis in own] for own in flips])
        corners = [tuple(c // s for c, s in zip(one, self._stride, strict=True)) for one in at]
        return views, corners, flips

    @torch.no_grad()
    def _answers(self, views: Tensor, corners: list[Size], flips: list[list[int]]) -> list[Tensor]:
        """Return the teacher's projections of the shared positions as seen in the other view."""
        features = positions(self.teacher["network"].encode(views)[self._level], flips)
        targets = shared(self.teacher["head"](features), corners)
        half = len(targets) // 2
        return targets[half:] + targets[:half]


def flipped(batch: Tensor, axes: list[list[int]]) -> Tensor:
    """Flip each sample along its own axes."""
    return torch.stack([sample.flip(own) for sample, own in zip(batch, axes, strict=True)])


def positions(features: Tensor, flips: list[list[int]]) -> Tensor:
    """Turn features of flipped views back: (B,C,z,y,x) -> (B,z,y,x,C)."""
    return flipped(features.permute(0, 2, 3, 4, 1), flips)


def shared(maps: Tensor, corners: list[Size]) -> list[Tensor]:
    """Cut from each map what its partner, half a batch away, shows too: (positions,D) each.

    maps: (2B,z,y,x,D); corners: (2B) first positions in the window. Partners' lists are in the
    same order.
    """
    half = len(corners) // 2
    cut = []
    for number, (corner, map_) in enumerate(zip(corners, maps, strict=True)):
        partner = corners[(number + half) % len(corners)]
        inside = tuple(
            slice(max(0, p - c), n - max(0, c - p))
            for c, p, n in zip(corner, partner, map_.shape[:3], strict=True)
        )
        cut.append(map_[inside].flatten(0, 2))
    return cut


TASK = PGL
