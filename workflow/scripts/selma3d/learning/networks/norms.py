"""Normalisation layers by name, MONAI's and one of our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from monai.networks.layers import factories
from torch import Tensor, nn

from ...system.errors import InputError

# None of them mixes samples, so that results don't depend on the batch or on the number of GPUs;
# but for `batch`, which is there for weights of others that were trained with it.
Norm = Literal["instance", "group", "channel", "batch"]

_GROUPS = 8


class ChannelNorm(nn.LayerNorm):
    """Normalise over the channels of each voxel of (B,C,Z,Y,X), as ConvNeXt does.

    Unlike instance and group normalisation it does not depend on what else a window holds: a window
    of bare background looks in inference as it did in training, and one threshold fits all images.
    """

    def __init__(self, num_channels: int, eps: float = 1e-3) -> None:
        super().__init__(num_channels, eps)

    def forward(self, features: Tensor) -> Tensor:
        last = features.permute(0, 2, 3, 4, 1)
        normal = F.layer_norm(last, self.normalized_shape, self.weight, self.bias, self.eps)
        return normal.permute(0, 4, 1, 2, 3)


factories.Norm.add_factory_callable("channel", lambda _dimensions: ChannelNorm)


# MONAI's names and arguments.
_KINDS: dict[Norm, tuple[str, dict]] = {
    "instance": ("INSTANCE", {"affine": True}),
    "group": ("GROUP", {"num_groups": _GROUPS}),
    "channel": ("CHANNEL", {}),
    "batch": ("BATCH", {}),
}


def norm_of(norm: Norm, channels: Sequence[int]) -> tuple[str, dict]:
    """MONAI's name of a normalisation; raises InputError where channels don't form groups."""
    if norm == "group" and any(n % _GROUPS for n in channels):
        raise InputError(
            f"channels: expected multiples of {_GROUPS} for norm group, found {channels}"
        )
    return _KINDS[norm]
