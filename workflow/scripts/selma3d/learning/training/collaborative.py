"""Fine-tuning on unannotated volumes too, which a slow teacher labels for the network.

Three ways to agree with the teacher, each with a weight: the same probabilities whatever is done to
the image (mean teacher, arXiv 1703.01780), its labels where it is sure (FixMatch, arXiv
2001.07685), and the same probabilities of the image at half its resolution (multiscale
consistency).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...challenge.recipe import Finetune, Input
from ..augmentation import augment
from ..networks import Segmenter
from ..sampling import Batch, LabelledSampler, UnlabelledSampler, prepare
from .segmentation import Segmentation

UNLABELLED = "unlabelled_"  # before the names of what a sample holds of a volume


@dataclass
class PairedSampler:
    """A labelled window and an unlabelled one in every sample."""

    labelled: LabelledSampler
    unlabelled: UnlabelledSampler

    def sample(self, index: int) -> dict[str, np.ndarray]:
        extra = self.unlabelled.sample(index)
        return self.labelled.sample(index) | {UNLABELLED + k: v for k, v in extra.items()}


class Collaborative(Segmentation):
    """Segmentation that also agrees with a teacher, the running mean of its own weights."""

    def __init__(self, network: Segmenter, input: Input, settings: Finetune) -> None:
        super().__init__(network, input, settings)
        self._collaboration = settings.collaboration
        if self._collaboration.multiscale:
            network.check_window(tuple(n // 2 for n in input.window), "multiscale: half a window")
        self.teacher = copy.deepcopy(network).requires_grad_(False)
        self.register_buffer("progress", torch.zeros(()))

    def losses(self, batch: Batch, seed: int) -> dict[str, Tensor]:
        supervised = super().losses(batch, seed)
        weight = self._ramp()
        if weight == 0:
            return supervised
        agreement = self._disagreements(batch, seed)
        total = sum(getattr(self._collaboration, name) * loss for name, loss in agreement.items())
        return (
            supervised
            | {"loss": supervised["loss"] + weight * total}
            | {f"{name}_loss": loss.detach() for name, loss in agreement.items()}
        )

    @torch.no_grad()
    def after_step(self, progress: float) -> None:
        self.progress.fill_(progress)
        for own, teachers in zip(self.network.parameters(), self.teacher.parameters(), strict=True):
            teachers.lerp_(own, 1 - self._collaboration.momentum)

    def _ramp(self) -> float:
        start = self._collaboration.start
        return min(1.0, max(0.0, (float(self.progress) - start) / max(start, 1e-9)))

    def _disagreements(self, batch: Batch, seed: int) -> dict[str, Tensor]:
        settings = self._collaboration
        seen = self._unlabelled(batch)
        self.teacher.eval()
        with torch.no_grad():
            taught = torch.sigmoid(self.teacher(seen).float())
        shown, taught = augment(
            seen, taught, seed=seed, indices=batch["index"], settings=settings.augment,
            purpose="unlabelled",
        )  # fmt: skip
        logits = self._finest(self.network(shown))
        losses = {}
        if settings.consistency:
            losses["consistency"] = F.mse_loss(torch.sigmoid(logits), taught)
        if settings.pseudo_labels:
            losses["pseudo_labels"] = confident_cross_entropy(logits, taught, settings.confidence)
        if settings.multiscale:
            half = self._finest(self.network(F.avg_pool3d(shown, 2)))
            losses["multiscale"] = F.mse_loss(torch.sigmoid(half), F.avg_pool3d(taught, 2))
        return losses

    def _unlabelled(self, batch: Batch) -> Tensor:
        own = {k.removeprefix(UNLABELLED): v for k, v in batch.items() if k.startswith(UNLABELLED)}
        own["index"] = batch["index"]
        return prepare(own, window=self._input.window, normalisation=self._input.normalisation)[
            "image"
        ]

    @staticmethod
    def _finest(output: Tensor | Sequence[Tensor]) -> Tensor:
        return (output if isinstance(output, Tensor) else output[0]).float()


def confident_cross_entropy(logits: Tensor, taught: Tensor, confidence: float) -> Tensor:
    """Cross entropy to the teacher's labels, where its probability is this far from undecided."""
    sure = ((taught >= confidence) | (taught <= 1 - confidence)).float()
    labels = (taught >= 0.5).float()
    entropy = F.binary_cross_entropy_with_logits(logits, labels, sure, reduction="sum")
    return entropy / sure.sum().clamp(min=1)
