"""Fine-tuning that learns from unannotated volumes too: a slow teacher labels them for the network.

Three ways to agree with the teacher, each with a weight: the same probabilities whatever is done to
the image (mean teacher, arXiv 1703.01780), its labels where it is sure (FixMatch, arXiv
2001.07685), and the same probabilities of the image at half its resolution (multiscale
consistency).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...system.errors import InputError
from ..augmentation import augment, check_settings
from ..networks import Segmenter
from ..networks.options import Share, Within, checked
from ..sampling import Batch, LabelledSampler, UnlabelledSampler, prepare
from .segmentation import Segmentation

Weight = Annotated[float, Within(0)]
UNLABELLED = "unlabelled_"  # before the names of what a sample holds of a volume


@dataclass(frozen=True, kw_only=True)
class Collaboration:
    """Settings of a recipe's `finetune: collaboration`."""

    consistency: Weight = 1.0
    pseudo_labels: Weight = 0.0
    multiscale: Weight = 0.0
    confidence: Share = 0.95  # of the teacher, for a pseudo-label
    momentum: Share = 0.99  # of the teacher's weights
    start: Share = 0.25  # of the steps, before which no weight but the supervised; full at twice it
    brightness_bias: Share = 0.5  # see UnlabelledSampler
    augment: dict | None = None  # of what the network is shown, not the teacher

    @classmethod
    def of(cls, settings: dict[str, Any], where: str) -> Collaboration:
        """Read the settings; InputError for unknown keys and values."""
        chosen = cls(**checked(cls, settings, where))
        check_settings(chosen.augment or {})
        if not chosen.consistency + chosen.pseudo_labels + chosen.multiscale:
            raise InputError(
                f"{where}: expected a weight above 0 for consistency, pseudo_labels or multiscale, "
                "found none"
            )
        return chosen


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

    def __init__(
        self, network: Segmenter, collaboration: Collaboration, **segmentation: Any
    ) -> None:
        super().__init__(network, **segmentation)
        if collaboration.multiscale:
            network.check_window(tuple(n // 2 for n in self._window), "multiscale: half a window")
        self._collaboration = collaboration
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
            seen, taught, seed=seed, indices=batch["index"], settings=settings.augment or {},
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
        return prepare(own, window=self._window, normalisation=self._normalisation)["image"]

    @staticmethod
    def _finest(output: Tensor | Sequence[Tensor]) -> Tensor:
        return (output if isinstance(output, Tensor) else output[0]).float()


def confident_cross_entropy(logits: Tensor, taught: Tensor, confidence: float) -> Tensor:
    """Cross entropy to the teacher's labels, where its probability is this far from undecided."""
    sure = ((taught >= confidence) | (taught <= 1 - confidence)).float()
    labels = (taught >= 0.5).float()
    entropy = F.binary_cross_entropy_with_logits(logits, labels, sure, reduction="sum")
    return entropy / sure.sum().clamp(min=1)
