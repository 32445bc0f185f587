"""The loss of fine-tuning: Dice and cross entropy, optionally clDice."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...challenge.recipe import Finetune, Input
from .. import augmentation, distributed
from ..networks import Segmenter
from ..sampling import NOT_ANNOTATED, prepare
from ..task import Batch, Drawn, Task, under, within
from .soft_skeleton import soft_skeleton

# MONAI's defaults
_SMOOTH_DICE = 1e-5
_SMOOTH_CLDICE, _SMOOTH_MEAN = 1.0, 1e-4


class Segmentation(Task):
    """Weighted sum of losses between logits and masks (B,1,Z,Y,X) of augmented windows.

    With `batch_dice`, Dice is taken over the voxels of a batch instead of each sample's: steadier
    where windows may be empty. Voxels that are NOT_ANNOTATED are left out. With deep supervision
    each coarser scale weighs half as much as the one before.

    All is a function of sums over the batch. So the loss and its gradient are those of the whole
    batch, however many processes and parts share it.
    """

    def __init__(self, network: Segmenter, input: Input, settings: Finetune) -> None:
        super().__init__()
        self.network = network
        self._input, self._settings = input, settings

    def draw(self, indices: Sequence[int], seed: int) -> Drawn:
        samples = [(index, "augment") for index in indices]
        settings, window = self._settings.augment, self._input.window
        return under("augment", augmentation.draw(seed, samples, settings, window))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return self._of_sums(self._summed(batch), batch.get("totals"))

    def sums(self, batch: Batch) -> Tensor:
        return self._summed(batch).detach()

    def _of_sums(self, own: Tensor, totals: Tensor | None) -> dict[str, Tensor]:
        """The losses of the whole batch, from the sums (scales, numbers) of a part of it.

        totals: the sums of all parts of this process; None: these are all. The gradient is that of
        the part: parts add theirs up, processes take the mean of theirs.
        """
        losses = [self._at_scale(sums) for sums in self.of_batch(own, totals)]
        halving = [0.5**scale for scale in range(len(losses))]
        if len(losses) == 1:
            return losses[0]
        total = sum(w * loss["loss"] for w, loss in zip(halving, losses, strict=True))
        return losses[0] | {"loss": total / sum(halving)}

    def of_batch(self, own: Tensor, totals: Tensor | None) -> Tensor:
        """The whole batch's sums, through which only the gradient of a part's own passes."""
        together = distributed.world() if self.training else 1
        if totals is None and together == 1:
            return own
        whole = own.detach() if totals is None else totals
        if together > 1:
            whole = distributed.mean(whole) * together
        return whole + together * (own - own.detach())

    def _summed(self, batch: Batch) -> Tensor:
        """The sums (scales, numbers) that the loss of a batch is a function of."""
        seen = prepare(batch, window=self._input.window, normalisation=self._input.normalisation)
        image, mask = augmentation.augment(seen["image"], seen["mask"], within("augment", batch))
        scales = self.network(image)
        if isinstance(scales, Tensor):
            scales = [scales]
        with torch.autocast(image.device.type, enabled=False):
            sums = [self._sums_at_scale(logits.float(), mask) for logits in scales]
        return torch.stack(sums)

    def _sums_at_scale(self, logits: Tensor, mask: Tensor) -> Tensor:
        if logits.shape != mask.shape:  # a coarser scale
            mask = F.interpolate(mask, size=logits.shape[2:])
        annotated = (mask != NOT_ANNOTATED).float()
        truth, probability = mask * annotated, torch.sigmoid(logits) * annotated
        settings, sums = self._settings, []
        if settings.dice:
            axes = (0, 1, 2, 3, 4) if settings.batch_dice else (1, 2, 3, 4)
            both, guessed, true = (
                each.sum(dim=axes) for each in (probability * truth, probability, truth)
            )
            if settings.batch_dice:
                sums += [both, guessed, true]
            else:
                sums += [_dice(both, guessed, true).sum(), both.new_full((), len(both))]
        if settings.cross_entropy:
            entropy = F.binary_cross_entropy_with_logits(logits, truth, annotated, reduction="sum")
            sums += [entropy, annotated.sum()]
        if settings.cldice:
            sums += [_cldice(probability, truth).sum(), truth.new_full((), len(truth))]
        return torch.stack(sums)

    def _at_scale(self, sums: Tensor) -> dict[str, Tensor]:
        """The losses of a scale from its sums, in the order of `_sums_at_scale`."""
        settings, numbers = self._settings, iter(sums.unbind())
        losses: dict[str, Tensor] = {}
        if settings.dice and settings.batch_dice:
            losses["dice"] = _dice(next(numbers), next(numbers), next(numbers))
        elif settings.dice:
            losses["dice"] = next(numbers) / next(numbers)
        if settings.cross_entropy:
            losses["cross_entropy"] = next(numbers) / next(numbers).clamp(min=1)
        if settings.cldice:
            losses["cldice"] = next(numbers) / next(numbers)
        total = sum(getattr(settings, name) * loss for name, loss in losses.items())
        return {"loss": total} | {f"{name}_loss": loss for name, loss in losses.items()}

    def trained_network(self) -> Segmenter:
        return self.network


def _dice(both: Tensor, guessed: Tensor, true: Tensor) -> Tensor:
    """The Dice loss from sums over voxels, as MONAI's DiceLoss computes it."""
    missed, invented = 0.5 * (true - both), 0.5 * (guessed - both)
    return 1.0 - (2.0 * both + _SMOOTH_DICE) / (2.0 * (both + invented + missed) + _SMOOTH_DICE)


def _cldice(probability: Tensor, truth: Tensor) -> Tensor:
    """The clDice loss of each sample (B,), as MONAI's SoftclDiceLoss computes it."""
    axes = (1, 2, 3, 4)
    thin, true_thin = soft_skeleton(probability), soft_skeleton(truth)
    precision = (thin * truth).sum(dim=axes) + _SMOOTH_CLDICE
    precision = precision / (thin.sum(dim=axes) + _SMOOTH_CLDICE)
    recall = (true_thin * probability).sum(dim=axes) + _SMOOTH_CLDICE
    recall = recall / (true_thin.sum(dim=axes) + _SMOOTH_CLDICE)
    return 1.0 - 2.0 * (precision * recall) / (precision + recall + _SMOOTH_MEAN)
