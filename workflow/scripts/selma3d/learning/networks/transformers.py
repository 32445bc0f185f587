"""Transformer encoders with convolutional decoders: SwinUNETR and UNETR, from MONAI."""

from __future__ import annotations

import torch
from monai.networks import nets
from pydantic import Field
from torch import Tensor

from ...challenge.checking import Model
from ...challenge.recipe import Count, Size
from ...system.errors import InputError
from .segmenter import Segmenter

FourScales = tuple[Count, Count, Count, Count]


class SwinUNETR(Segmenter):
    """Swin UNETR (arXiv 2201.01266): shifted-window attention, five scales.

    The encoder is the transformer; the convolutions on its maps belong to the decoder, as in the
    published pretrained weights.
    """

    class Options(Model):
        channels: Count = Field(24, description="of the first scale; a multiple of 12")
        depths: FourScales = Field((2, 2, 2, 2), description="blocks at each scale")
        heads: FourScales = Field((3, 6, 12, 24), description="of attention at each scale")
        attention_window: Count = Field(7, description="tokens along each axis")
        checkpointing: bool = Field(False, description="save memory, compute activations twice")

    def __init__(self, options: Options) -> None:
        super().__init__()
        channels, heads = options.channels, options.heads
        if channels % 12 or any(channels * 2**level % n for level, n in enumerate(heads)):
            raise InputError(
                "channels, heads: expected a multiple of 12, and heads that divide the channels of "
                f"their level, found {channels}, {heads}"
            )
        self.net = nets.SwinUNETR(
            1, 1, depths=options.depths, num_heads=heads, window_size=options.attention_window,
            feature_size=channels, use_checkpoint=options.checkpointing,
        )  # fmt: skip
        self.feature_channels = tuple(channels * 2**level for level in range(5))
        self.feature_strides = tuple((2**level,) * 3 for level in range(1, 6))
        self.divisor = 32
        self.encoder_prefixes = ("net.swinViT.",)
        self.head_prefixes = ("net.out.",)

    def encode(self, image: Tensor) -> list[Tensor]:
        return self.net.swinViT(image, self.net.normalize)

    def decode(self, image: Tensor, features: list[Tensor]) -> Tensor:
        net = self.net
        out = net.decoder5(net.encoder10(features[4]), features[3])
        out = net.decoder4(out, net.encoder4(features[2]))
        out = net.decoder3(out, net.encoder3(features[1]))
        out = net.decoder2(out, net.encoder2(features[0]))
        return net.out(net.decoder1(out, net.encoder1(image)))


class UNETR(Segmenter):
    """UNETR (arXiv 2103.10504): a plain ViT of 12 blocks on patches of 16³, a U-shaped decoder.

    Positions are learnt for `window` and interpolated for other sizes. The four feature maps are
    those after blocks 4, 7, 10 and 12, all at stride 16.
    """

    class Options(Model):
        window: Size = Field((64, 64, 64), description="voxels (z,y,x) of the learnt positions")
        hidden: Count = Field(384, description="numbers a token; a multiple of heads")
        mlp: Count = Field(1536, description="hidden units of each block")
        heads: Count = Field(6, description="of attention")
        channels: Count = Field(16, description="of the decoder's finest level")

    def __init__(self, options: Options) -> None:
        super().__init__()
        window, hidden, heads = options.window, options.hidden, options.heads
        if hidden % heads or any(n % 16 for n in window):
            raise InputError(
                "window, hidden: expected multiples of 16 and of the number of heads, "
                f"found {list(window)}, {hidden}"
            )
        self.net = nets.UNETR(
            1, 1, window, feature_size=options.channels, hidden_size=hidden, mlp_dim=options.mlp,
            num_heads=heads,
        )  # fmt: skip
        for block in self.net.vit.blocks:
            del block.norm_cross_attn  # never used, and DDP waits for every gradient
        self.feature_channels = (hidden,) * 4
        self.feature_strides = ((16, 16, 16),) * 4
        self.divisor = 16
        self.encoder_prefixes = ("net.vit.",)
        self.head_prefixes = ("net.out.",)

    def encode(self, image: Tensor) -> list[Tensor]:
        vit = self.net.vit
        patches = vit.patch_embedding.patch_embeddings(image)
        grid = patches.shape[2:]
        tokens = (patches + self._positions(grid)).flatten(2).transpose(1, 2)
        states = []
        for block in vit.blocks:
            tokens = block(tokens)
            states.append(tokens)
        kept = [states[3], states[6], states[9], vit.norm(states[-1])]
        return [state.transpose(1, 2).unflatten(2, grid) for state in kept]

    def _positions(self, grid: Size) -> Tensor:
        """Position embeddings (1,C,z,y,x) for a grid of patches."""
        learnt = self.net.vit.patch_embedding.position_embeddings.transpose(1, 2)
        learnt = learnt.unflatten(2, self.net.feat_size)
        if tuple(grid) == tuple(self.net.feat_size):
            return learnt
        for axis, wanted in enumerate(grid, start=2):
            weights = _linear(learnt.shape[axis], wanted, learnt)
            learnt = (learnt.movedim(axis, -1) @ weights).movedim(-1, axis)
        return learnt

    def decode(self, image: Tensor, features: list[Tensor]) -> Tensor:
        net = self.net
        out = net.decoder5(features[3], net.encoder4(features[2]))
        out = net.decoder4(out, net.encoder3(features[1]))
        out = net.decoder3(out, net.encoder2(features[0]))
        return net.out(net.decoder2(out, net.encoder1(image)))


def _linear(have: int, wanted: int, like: Tensor) -> Tensor:
    """Weights (have, wanted) of linear interpolation along an axis, as torch's `interpolate`.

    Its own gradient differs from run to run on GPUs; that of a product of matrices does not.
    """
    place = torch.arange(wanted, device=like.device, dtype=like.dtype)
    centre = ((place + 0.5) * (have / wanted) - 0.5).clamp(0, have - 1)
    known = torch.arange(have, device=like.device, dtype=like.dtype)
    return (1 - (known[:, None] - centre).abs()).clamp(min=0)
