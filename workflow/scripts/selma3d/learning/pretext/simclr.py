"""SimCLR (arXiv 2002.05709): tell the other view of a window from views of other windows."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from ...challenge.checking import Model
from ...challenge.recipe import Count, Size
from .. import distributed
from ..device import single_precision
from ..networks import Segmenter
from ..passes import Pass
from ..task import Batch
from . import processes
from .base import Temperature, Windows, pooled, spread
from .views import ViewTask, projection


class SimCLR(ViewTask):
    """Cross entropy over the similarities of a view to all views of the global batch (InfoNCE).

    The trivial predictor chooses by chance: log(2N − 1) for N windows over all processes.
    """

    class Options(Model):
        view: Size | None = Field(
            None, description="voxels (z,y,x); none: about three quarters of the window"
        )
        hidden: Count = Field(512, description="units of the projection's hidden layer")
        projected: Count = Field(128, description="numbers that a view is described by")
        temperature: Temperature = Field(0.2, description="of the similarities' softmax")

    def __init__(self, network: Segmenter, windows: Windows, options: Options) -> None:
        super().__init__(network, windows, options)
        self._view_size = self.view_size(options.view, 0.75, "view")
        described = 2 * sum(network.feature_channels)
        self.head = projection(described, options.hidden, options.projected)

    def passes(self) -> list[Pass]:
        return self.passes_of_views(self._view_size, 2)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        images = self.normalised(batch)
        views = self.views(images, batch, self._view_size)
        vectors = pooled(self.network.encode(views))
        loss, accuracy = info_nce(self.head(vectors), self.options.temperature, self.training)
        return {"loss": loss, "accuracy": accuracy, "spread": spread(vectors[: len(images)])}

    def trivial_loss(self, batch: Batch) -> float:
        together = distributed.world() if self.training else 1
        return math.log(2 * together * len(batch["image"]) - 1)


def info_nce(vectors: Tensor, temperature: float, together: bool = False) -> tuple[Tensor, Tensor]:
    """Return the loss, and how often the other view of the same window is the most similar one.

    vectors: (2B,D), the first views of B windows, then the second ones. together: the candidates
    are the views of all processes, so that the loss and its gradient are those of one process with
    the whole batch.
    """
    with single_precision(vectors.device):
        own = nn.functional.normalize(vectors.float(), dim=1)
        count = len(own)
        candidates = processes.gathered(own) if together else own
        similarities = own @ candidates.T / temperature
        rows = torch.arange(count, device=own.device)
        offset = count * distributed.rank() if together else 0
        similarities[rows, offset + rows] = -torch.inf
        partners = offset + (rows + count // 2) % count
        loss = nn.functional.cross_entropy(similarities, partners)
        accuracy = (similarities.detach().argmax(dim=1) == partners).float().mean()
        return loss, accuracy


TASK = SimCLR
