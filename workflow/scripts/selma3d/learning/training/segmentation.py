"""The loss of fine-tuning: Dice and cross entropy, optionally clDice."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.losses import DiceLoss, SoftclDiceLoss
from torch import Tensor

from ...challenge.recipe import Finetune, Input
from ..augmentation import augment
from ..networks import Segmenter
from ..sampling import NOT_ANNOTATED, Batch, prepare
from ..task import Task


class Segmentation(Task):
    """Weighted sum of losses between logits and masks (B,1,Z,Y,X) of augmented windows.

    With `batch_dice`, Dice is taken over the voxels of a batch instead of each sample's: steadier
    where windows may be empty. Voxels that are NOT_ANNOTATED are left out. With deep supervision
    each coarser scale weighs half as much as the one before.
    """

    def __init__(self, network: Segmenter, input: Input, settings: Finetune) -> None:
        super().__init__()
        self.network = network
        self._input, self._settings = input, settings
        self._dice = DiceLoss(batch=settings.batch_dice)
        self._cldice = SoftclDiceLoss()

    def losses(self, batch: Batch, seed: int) -> dict[str, Tensor]:
        seen = prepare(batch, window=self._input.window, normalisation=self._input.normalisation)
        image, mask = augment(
            seen["image"],
            seen["mask"],
            seed=seed,
            indices=batch["index"],
            settings=self._settings.augment,
        )
        scales = self.network(image)
        if isinstance(scales, Tensor):
            return self._at_scale(scales.float(), mask)
        losses = [
            self._at_scale(logits.float(), F.interpolate(mask, size=logits.shape[2:]))
            for logits in scales
        ]
        halving = [0.5**scale for scale in range(len(scales))]
        total = sum(w * loss["loss"] for w, loss in zip(halving, losses, strict=True))
        return losses[0] | {"loss": total / sum(halving)}

    def _at_scale(self, logits: Tensor, mask: Tensor) -> dict[str, Tensor]:
        annotated = (mask != NOT_ANNOTATED).float()
        truth, probability = mask * annotated, torch.sigmoid(logits) * annotated
        terms = {
            "dice": lambda: self._dice(probability, truth),
            "cross_entropy": lambda: (
                F.binary_cross_entropy_with_logits(logits, truth, annotated, reduction="sum")
                / annotated.sum().clamp(min=1)
            ),
            "cldice": lambda: self._cldice(probability, truth),
        }
        weights = {name: getattr(self._settings, name) for name in terms}
        losses = {name: term() for name, term in terms.items() if weights[name]}
        total = sum(weights[name] * loss for name, loss in losses.items())
        return {"loss": total} | {f"{name}_loss": loss for name, loss in losses.items()}

    def trained_network(self) -> Segmenter:
        return self.network
