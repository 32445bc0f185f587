"""Pretext tasks that corrupt an image and learn to restore it, with encoder and decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ...challenge.checking import Model
from ..device import single_precision
from ..networks import Segmenter
from ..task import Batch, Drawn, within
from .base import Pretext, Windows, pooled, spread

Distance = Literal["l1", "l2", "huber"]

_DISTANCES = {"l1": F.l1_loss, "l2": F.mse_loss, "huber": F.smooth_l1_loss}


class Reconstruction(Pretext):
    """Restore a corrupted image; the network's output layer gives intensities, not logits."""

    class Options(Model):
        distance: Distance = Field("l2", description="between the image and its restoration")

    trains = "encoder+decoder"

    def __init__(self, network: Segmenter, windows: Windows, options: Options) -> None:
        super().__init__(network, windows, options)
        self._distance = _DISTANCES[options.distance]
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(not name.startswith(network.head_prefixes[1:]))

    def draw(self, indices: Sequence[int], seed: int) -> Drawn:
        drawn = self.draw_augmentation(indices, seed, "augment")
        return drawn | self.draw_corruption(indices, seed)

    def draw_corruption(self, indices: Sequence[int], seed: int) -> Drawn:
        """Draw what `corrupt` needs; nothing by default."""
        return {}

    def corrupt(self, clean: Tensor, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return what the network sees, and the voxels (B,1,Z,Y,X) {0,1} it is judged on or None.

        None: on all of them.
        """
        raise NotImplementedError

    def guesses(self, clean: Tensor, seen: Tensor, judged: Tensor | None) -> list[Tensor]:
        """Return images that take no learning; the best of them is the trivial predictor.

        By default: what was seen, its running mean over 3³ voxels, and the mean of all images.
        """
        return [seen, smooth(seen), clean.mean().expand_as(clean)]

    def start(self, seen: Tensor) -> Tensor | float:
        """Return the image that the network's output is added to; by default none."""
        return 0.0

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        clean, seen, judged = self._corrupted(batch)
        features = self.network.encode(seen)
        restored = self.network.decode(seen, features)
        finest = restored[0] if isinstance(restored, list) else restored
        loss = self._error(self.start(seen) + finest.float(), clean, judged)
        return {
            "loss": loss,
            "relative": loss.detach() / self._trivial(clean, seen, judged).clamp(min=1e-12),
            "spread": spread(pooled(features)),
        }

    @torch.no_grad()
    def trivial_loss(self, batch: Batch) -> float:
        return float(self._trivial(*self._corrupted(batch)))

    def _corrupted(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        with single_precision(batch["image"].device):
            clean = self.augmented(self.normalised(batch), within("augment", batch))
            return clean, *self.corrupt(clean, batch)

    @torch.no_grad()
    def _trivial(self, clean: Tensor, seen: Tensor, judged: Tensor | None) -> Tensor:
        guesses = self.guesses(clean, seen, judged)
        return torch.stack([self._error(guess, clean, judged) for guess in guesses]).min()

    def _error(self, predicted: Tensor, clean: Tensor, judged: Tensor | None) -> Tensor:
        with single_precision(clean.device):
            error = self._distance(predicted, clean, reduction="none")
            if judged is None:
                return error.mean()
            return (error * judged).sum() / judged.sum().clamp(min=1)


def smooth(images: Tensor) -> Tensor:
    """Take the running mean over 3³ voxels, of those inside the image at its borders."""
    return F.avg_pool3d(images, 3, stride=1, padding=1, count_include_pad=False)
