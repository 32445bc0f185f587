"""BYOL (arXiv 2006.07733): predict a teacher's description of another view, without negatives."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from ...challenge.recipe import Count, Size
from ..networks import Segmenter
from ..task import Batch
from .base import Windows, pooled, spread
from .teacher import TeacherTask, constant_disagreement, disagreement
from .views import projection


class BYOL(TeacherTask):
    """Predict the teacher's projection of one view from the other, both ways; loss in [0, 4].

    The trivial predictor answers the batch's mean target to every view; its loss falls to 0 with a
    collapse, so `relative` tells learning from collapsing.
    """

    class Options(TeacherTask.Options):
        view: Size | None = Field(
            None, description="voxels (z,y,x); none: about three quarters of the window"
        )
        hidden: Count = Field(512, description="units of the projections' hidden layers")
        projected: Count = Field(128, description="numbers that a view is described by")

    def __init__(self, network: Segmenter, windows: Windows, options: Options) -> None:
        hidden, projected = options.hidden, options.projected
        head = projection(2 * sum(network.feature_channels), hidden, projected)
        super().__init__(network, windows, options, head, outputs=projected)
        self.predictor = projection(projected, hidden, projected)
        self._view_size = self.view_size(options.view, 0.75, "view")

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        views = self._two_views(batch)
        vectors = pooled(self.network.encode(views))
        targets = self._answers(views)
        self.remember(targets)
        targets = targets - self.centre
        loss = disagreement(self.predictor(self.head(vectors)), targets).mean()
        return {
            "loss": loss,
            "relative": loss.detach() / constant_disagreement(targets).clamp(min=1e-12),
            "spread": spread(vectors[: len(vectors) // 2]),
        }

    def trivial_loss(self, batch: Batch) -> float:
        return float(constant_disagreement(self._answers(self._two_views(batch)) - self.centre))

    def _two_views(self, batch: Batch) -> Tensor:
        return self.views(self.normalised(batch), batch, self._view_size)

    @torch.no_grad()
    def _answers(self, views: Tensor) -> Tensor:
        """Return the teacher's projections, each that of the other view of the same window."""
        vectors = pooled(self.teacher["network"].encode(views))
        return self.teacher["head"](vectors).roll(len(views) // 2, dims=0)


TASK = BYOL
