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
from .. import augmentation
from ..networks import Segmenter
from ..sampling import LabelledSampler, UnlabelledSampler, prepare
from ..task import Batch, Drawn, under, within
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

    def keep(self) -> None:
        self.labelled.keep()


class Collaborative(Segmentation):
    """Segmentation that also agrees with a teacher, the running mean of its own weights."""

    def __init__(self, network: Segmenter, input: Input, settings: Finetune) -> None:
        super().__init__(network, input, settings)
        self._collaboration = settings.collaboration
        if self._collaboration.multiscale:
            network.check_window(tuple(n // 2 for n in input.window), "multiscale: half a window")
        self.teacher = copy.deepcopy(network).requires_grad_(False)
        self.register_buffer("progress", torch.zeros(()))
        self._progress = 0.0  # the same, for the program: reading it from a GPU waits
        self.register_load_state_dict_post_hook(_remember_progress)

    def draw(self, indices: Sequence[int], seed: int) -> Drawn:
        samples = [(index, "unlabelled") for index in indices]
        settings, window = self._collaboration.augment, self._input.window
        drawn = augmentation.draw(seed, samples, settings, window)
        return super().draw(indices, seed) | under("unlabelled", drawn)

    def sums(self, batch: Batch) -> Tensor:
        supervised = super().sums(batch).flatten()
        return torch.cat([supervised, self._disagreements(batch)]) if self._ramp() else supervised

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        own, totals = self._summed(batch), batch.get("totals")
        labelled = None if totals is None else totals[: own.numel()].view_as(own)
        supervised = self._of_sums(own, labelled)
        weight = self._ramp()
        if weight == 0:
            return supervised
        disagreements = self._disagreements(batch)
        others = None if totals is None else totals[own.numel() :]
        agreement = self._of_disagreements(self.of_batch(disagreements, others))
        total = sum(getattr(self._collaboration, name) * loss for name, loss in agreement.items())
        return (
            supervised
            | {"loss": supervised["loss"] + weight * total}
            | {f"{name}_loss": loss.detach() for name, loss in agreement.items()}
        )

    @torch.no_grad()
    def after_step(self, progress: float) -> None:
        self.progress.fill_(progress)
        self._progress = progress
        for own, teachers in zip(self.network.parameters(), self.teacher.parameters(), strict=True):
            teachers.lerp_(own, 1 - self._collaboration.momentum)

    def _ramp(self) -> float:
        start = self._collaboration.start
        return min(1.0, max(0.0, (self._progress - start) / max(start, 1e-9)))

    def _disagreements(self, batch: Batch) -> Tensor:
        """The sums that the agreement with the teacher is a function of, and their counts."""
        settings = self._collaboration
        seen = self._unlabelled(batch)
        self.teacher.eval()
        with torch.no_grad():
            taught = torch.sigmoid(self.teacher(seen).float())
        shown, taught = augmentation.augment(seen, taught, within("unlabelled", batch))
        logits = self._finest(self.network(shown))
        sums = []
        if settings.consistency:
            sums += _squares(torch.sigmoid(logits), taught)
        if settings.pseudo_labels:
            sums += confident_cross_entropy(logits, taught, settings.confidence)
        if settings.multiscale:
            half = self._finest(self.network(F.avg_pool3d(shown, 2)))
            sums += _squares(torch.sigmoid(half), F.avg_pool3d(taught, 2))
        return torch.stack(sums)

    def _of_disagreements(self, sums: Tensor) -> dict[str, Tensor]:
        """The losses of agreement from sums, in the order of `_disagreements`."""
        names = ("consistency", "pseudo_labels", "multiscale")
        used = [name for name in names if getattr(self._collaboration, name)]
        pairs = zip(sums[0::2], sums[1::2], strict=True)
        return {
            name: total / count.clamp(min=1)
            for name, (total, count) in zip(used, pairs, strict=True)
        }

    def _unlabelled(self, batch: Batch) -> Tensor:
        own = {k.removeprefix(UNLABELLED): v for k, v in batch.items() if k.startswith(UNLABELLED)}
        own["index"] = batch["index"]
        return prepare(own, window=self._input.window, normalisation=self._input.normalisation)[
            "image"
        ]

    @staticmethod
    def _finest(output: Tensor | Sequence[Tensor]) -> Tensor:
        return (output if isinstance(output, Tensor) else output[0]).float()


def confident_cross_entropy(logits: Tensor, taught: Tensor, confidence: float) -> list[Tensor]:
    """Cross entropy to the teacher's labels, where its probability is this far from undecided.

    Its sum over voxels, and their number.
    """
    sure = ((taught >= confidence) | (taught <= 1 - confidence)).float()
    labels = (taught >= 0.5).float()
    entropy = F.binary_cross_entropy_with_logits(logits, labels, sure, reduction="sum")
    return [entropy, sure.sum()]


def _squares(ours: Tensor, taught: Tensor) -> list[Tensor]:
    """The sum of squared differences, and the number of voxels."""
    total = (ours - taught).square().sum()
    return [total, total.new_full((), ours.numel())]


def _remember_progress(task: Collaborative, incompatible: object) -> None:
    """After a resume."""
    task._progress = float(task.progress)
