"""iBOT (arXiv 2111.07832): self-distillation of windows, as in DINO, and of hidden positions.

A teacher assigns each view, and each position of its feature map, to learnt prototypes; the
student has to agree from other crops and from views with hidden blocks. It needs a grid of
features, not tokens, so it works on convolutional encoders too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn

from ...challenge.recipe import Count, Number, Share, Size
from ...system.randomness import torch_generators
from ..device import single_precision
from ..networks import Segmenter
from ..passes import Pass
from ..task import Batch, Drawn, under, within
from .base import Level, Temperature, Windows, check_level, pooled, spread
from .blocks import LearntBlock, grid_of, hidden_blocks, voxelwise
from .teacher import TeacherTask
from .views import PAIR, projection


class IBOT(TeacherTask):
    """Cross entropy to the teacher's assignments, of windows and of hidden positions.

    The trivial predictor answers the teacher's mean assignment: its loss is the entropy of that.
    """

    class Options(TeacherTask.Options):
        global_view: Size | None = Field(
            None, description="voxels (z,y,x); none: about three quarters of the window"
        )
        local_view: Size | None = Field(
            None, description="voxels (z,y,x); none: about three eighths of the window"
        )
        local_views: Number = Field(4, description="small views that the student alone sees")
        ratio: Share = Field(
            0.3, description="share of positions hidden from the student in its two global views"
        )
        level: Level = Field(-1, description="feature map that has the positions; -1: the coarsest")
        prototypes: Count = Field(1024, description="learnt directions, for windows and positions")
        hidden: Count = Field(512, description="units of the projections' hidden layers")
        bottleneck: Count = Field(128, description="numbers that are compared with a prototype")
        student_temperature: Temperature = Field(0.1, description="of the softmax over prototypes")
        teacher_temperature: Temperature = Field(0.04, description="of the softmax over prototypes")

    def __init__(self, network: Segmenter, windows: Windows, options: Options) -> None:
        channels, level = network.feature_channels, options.level
        check_level(level, network)
        sizes = (options.hidden, options.bottleneck, options.prototypes)
        window = _Prototypes(2 * sum(channels), *sizes)
        position = _Prototypes(channels[level], *sizes)
        head = nn.ModuleDict({"window": window, "position": position})
        super().__init__(network, windows, options, head, outputs=options.prototypes, centres=2)
        self._global_size = self.view_size(options.global_view, 0.75, "global_view")
        self._local_size = self.view_size(options.local_view, 0.375, "local_view")
        self._local_names = [f"local{number}" for number in range(options.local_views)]
        self._level = level
        self._block = network.feature_strides[level]
        self._grid = grid_of(self._global_size, self._block)
        self.hiding = LearntBlock(self._block)

    def passes(self) -> list[Pass]:
        local = self.passes_of_views(self._local_size, len(self._local_names))
        return [*self.passes_with_answers(self._global_size), *local]

    def draw(self, indices: Sequence[int], seed: int) -> Drawn:
        grid, ratio = self._grid, self.options.ratio
        own = [torch_generators(seed, indices, f"{name}/hidden") for name in PAIR]
        hidden = torch.cat([hidden_blocks(each, grid, ratio) for each in own])
        drawn = under("global", self.draw_views(indices, seed, self._global_size, PAIR))
        if self._local_names:
            names = self._local_names
            drawn |= under("local", self.draw_views(indices, seed, self._local_size, names))
        places = hidden.flatten().nonzero().squeeze(1)
        return drawn | {"hidden": hidden, "places": places}

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        images = self.normalised(batch)
        views, places = self._global_views(images, batch), batch["places"]
        answers = self._answers(views, places)
        self.remember(*answers)
        window_targets, position_targets = self._assignments(*answers)
        blocks = voxelwise(batch["hidden"], self._block)
        features = self.network.encode(views * (1 - blocks) + self.hiding(views) * blocks)
        vectors = pooled(features)
        described = [vectors]
        if self._local_names:
            local = self.views(images, within("local", batch), self._local_size)
            described.append(pooled(self.network.encode(local)))
        window = self._window_loss(self.head["window"](torch.cat(described)), window_targets)
        position = self._cross_entropy(
            self.head["position"](chosen(features[self._level], places)), position_targets
        )
        return {
            "loss": window + position,
            "window": window.detach(),
            "position": position.detach(),
            "spread": spread(vectors[: len(images)]),
        }

    @torch.no_grad()
    def trivial_loss(self, batch: Batch) -> float:
        views = self._global_views(self.normalised(batch), batch)
        targets = self._assignments(*self._answers(views, batch["places"]))
        means = torch.stack([each.mean(dim=0) for each in targets])
        return float(torch.special.entr(means).sum())

    def _global_views(self, images: Tensor, batch: Batch) -> Tensor:
        """Return two views of each window, (2B,1,Z,Y,X)."""
        return self.views(images, within("global", batch), self._global_size)

    @torch.no_grad()
    def _answers(self, views: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return the teacher's logits for whole views and for the hidden positions."""
        features = self.teacher["network"].encode(views)
        window = self.teacher["head"]["window"](pooled(features))
        return window, self.teacher["head"]["position"](chosen(features[self._level], places))

    def _assignments(self, *answers: Tensor) -> list[Tensor]:
        """The teacher's chances over prototypes (N,K), of windows and of hidden positions."""
        temperature = self.options.teacher_temperature
        return [
            torch.softmax((own - centre) / temperature, dim=1)
            for own, centre in zip(answers, self.centre, strict=True)
        ]

    def _window_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compare each of the teacher's two views with all other views of the same windows."""
        windows = len(targets) // 2
        answers = torch.log_softmax(logits / self.options.student_temperature, dim=1)
        terms = [
            -(target * answer).sum(dim=1).mean()
            for teacher_view, target in enumerate(targets.split(windows))
            for student_view, answer in enumerate(answers.split(windows))
            if student_view != teacher_view
        ]
        return torch.stack(terms).mean()

    def _cross_entropy(self, logits: Tensor, target: Tensor) -> Tensor:
        return (
            -(target * torch.log_softmax(logits / self.options.student_temperature, dim=1))
            .sum(dim=1)
            .mean()
        )


class _Prototypes(nn.Module):
    """Cosines of projected features to learnt directions, in float32: (N,C) -> (N,prototypes)."""

    def __init__(self, inputs: int, hidden: int, bottleneck: int, prototypes: int) -> None:
        super().__init__()
        self.project = projection(inputs, hidden, bottleneck)
        self.directions = nn.Parameter(torch.randn(prototypes, bottleneck))

    def forward(self, features: Tensor) -> Tensor:
        projected = self.project(features)
        with single_precision(features.device):
            directions = nn.functional.normalize(self.directions, dim=1)
            return nn.functional.normalize(projected.float(), dim=1) @ directions.T


def chosen(features: Tensor, places: Tensor) -> Tensor:
    """List the features of hidden positions: (B,C,z,y,x), (N,) among B·z·y·x -> (N,C)."""
    return features.permute(0, 2, 3, 4, 1).flatten(0, 3)[places]


TASK = IBOT
