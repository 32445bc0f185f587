"""Convolutional networks: UNet, DynUNet, SegResNet, MedNeXt, from MONAI's blocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

import torch
from monai.networks import nets
from pydantic import Field
from torch import Tensor, nn

from ...challenge.checking import Model
from ...challenge.recipe import Count, Size
from ...system.errors import InputError
from .norms import Norm, norm_of
from .segmenter import Segmenter

Stride = Count | Size  # along all axes alike, or (z,y,x)


class UNet(Segmenter):
    """MONAI's UNet: a convolution or residual unit a level. The fast one, for small experiments.

    With a first stride of 2 the finest map has half the resolution, and the output layer is the
    transposed convolution that restores it.
    """

    class Options(Model):
        channels: tuple[Count, ...] = Field((16, 32, 64, 128), description="of each level")
        strides: tuple[Stride, ...] = Field((2, 2, 2), description="from level to level")
        norm: Norm = Field("instance", description="normalisation layers")
        residual_units: int = Field(
            0, ge=0, description="convolutions of a residual unit; 0: plain ones, one a level"
        )

    def __init__(self, options: Options) -> None:
        super().__init__()
        channels, strides = options.channels, options.strides
        if len(channels) != len(strides) + 1 or len(channels) < 2:
            raise InputError(
                "channels, strides: expected at least 2 channels and one stride fewer, "
                f"found {channels}, {strides}"
            )
        self.net = nets.UNet(
            3, 1, 1, channels, strides, num_res_units=options.residual_units,
            norm=norm_of(options.norm, channels),
        )  # fmt: skip
        self.feature_channels = channels
        self.feature_strides = cumulative([*strides, 1])
        self.divisor = max(self.feature_strides[-1])
        levels = ["net.model." + "1.submodule." * depth for depth in range(len(channels))]
        self.encoder_prefixes = (*(f"{level}0." for level in levels[:-1]), levels[-1])
        self.head_prefixes = ("net.model.2.",)

    def _levels(self) -> tuple[list[nn.Module], list[nn.Module]]:
        """Walk down MONAI's nested levels: (the way down with the bottom, the way up)."""
        down, up, level = [], [], self.net.model
        for _ in self.feature_channels[1:]:
            down.append(level[0])
            up.append(level[2])
            level = level[1].submodule
        return [*down, level], up

    def encode(self, image: Tensor) -> list[Tensor]:
        return running(self._levels()[0], image)

    def decode(self, image: Tensor, features: list[Tensor]) -> Tensor:
        out = features[-1]
        for up, skip in zip(reversed(self._levels()[1]), reversed(features[:-1]), strict=True):
            out = up(torch.cat([skip, out], dim=1))
        return out


class DynUNet(Segmenter):
    """nnU-Net's network: two convolutions a level, plain or residual; strides and kernels a level.

    For coarse planes give kernels and strides as (z,y,x), such as [1,2,2] at the first levels.
    """

    class Options(Model):
        channels: tuple[Count, ...] = Field((32, 64, 128, 256), description="of each level")
        strides: tuple[Stride, ...] = Field((1, 2, 2, 2), description="of each level; the first 1")
        kernels: tuple[Stride, ...] = Field((3, 3, 3, 3), description="of each level, voxels")
        residual: bool = Field(True, description="residual blocks instead of plain ones")
        norm: Norm = Field("instance", description="normalisation layers")
        deep_supervision: bool = Field(False, description="learn at coarser scales too")

    def __init__(self, options: Options) -> None:
        super().__init__()
        channels, strides, kernels = options.channels, options.strides, options.kernels
        first = cumulative(strides[:1])
        if not 3 <= len(channels) == len(strides) == len(kernels) or first != ((1, 1, 1),):
            raise InputError(
                "channels, strides, kernels: expected as many of each, at least 3, and a first "
                f"stride of 1, found {channels}, {strides}, {kernels}"
            )
        self.net = nets.DynUNet(
            3, 1, 1, kernels, strides, strides[1:], filters=channels,
            res_block=options.residual, norm_name=norm_of(options.norm, channels),
            deep_supervision=options.deep_supervision,
            deep_supr_num=len(channels) - 2,
        )  # fmt: skip
        del self.net.skip_layers  # the same blocks under second names: `encode`, `decode` join them
        self.feature_channels = channels
        self.feature_strides = cumulative(strides)
        self.divisor = max(self.feature_strides[-1])
        self.encoder_prefixes = ("net.input_block.", "net.downsamples.", "net.bottleneck.")
        self.head_prefixes = ("net.output_block.", "net.deep_supervision_heads.")

    def encode(self, image: Tensor) -> list[Tensor]:
        return running([self.net.input_block, *self.net.downsamples, self.net.bottleneck], image)

    def decode(self, image: Tensor, features: list[Tensor]) -> Tensor | list[Tensor]:
        maps = [features[-1]]
        for up, skip in zip(self.net.upsamples, reversed(features[:-1]), strict=True):
            maps.append(up(maps[-1], skip))
        logits = self.net.output_block(maps[-1])
        if not (self.training and self.net.deep_supervision):
            return logits
        coarser = zip(self.net.deep_supervision_heads, reversed(maps[1:-1]), strict=True)
        return [logits, *(head(map_) for head, map_ in coarser)]


class SegResNet(Segmenter):
    """MONAI's SegResNet: residual blocks, a light decoder.

    Upsampling is learnt, since the gradient of interpolation differs from run to run on GPUs.
    """

    class Options(Model):
        channels: Count = Field(16, description="of the first level; twice as many at each further")
        blocks_down: tuple[Count, ...] = Field((1, 2, 2, 4), description="of each level")
        blocks_up: tuple[Count, ...] = Field((1, 1, 1), description="of each level but the last")
        norm: Norm = Field("group", description="normalisation layers")

    def __init__(self, options: Options) -> None:
        super().__init__()
        channels = options.channels
        blocks_down, blocks_up = options.blocks_down, options.blocks_up
        if len(blocks_up) != len(blocks_down) - 1:
            raise InputError(f"blocks_up: expected {len(blocks_down) - 1}, found {blocks_up}")
        self.net = nets.SegResNet(
            3, channels, 1, 1, norm=norm_of(options.norm, [channels]), blocks_down=blocks_down,
            blocks_up=blocks_up, upsample_mode="deconv",
        )  # fmt: skip
        levels = len(blocks_down)
        self.feature_channels = tuple(channels * 2**level for level in range(levels))
        self.feature_strides = cumulative([1] + [2] * (levels - 1))
        self.divisor = 2 ** (levels - 1)
        self.encoder_prefixes = ("net.convInit.", "net.down_layers.")
        self.head_prefixes = ("net.conv_final.2.",)

    def encode(self, image: Tensor) -> list[Tensor]:
        return self.net.encode(image)[1]

    def decode(self, image: Tensor, features: list[Tensor]) -> Tensor:
        return self.net.decode(features[-1], features[::-1])


class MedNeXt(Segmenter):
    """MedNeXt (arXiv 2303.09975): large depthwise kernels, inverted bottlenecks; size S."""

    class Options(Model):
        channels: Count = Field(32, description="of the first level; twice as many at each further")
        kernel: Literal[3, 5, 7] = Field(3, description="of the depthwise convolutions, voxels")
        expansion: Count = Field(2, description="of the channels within a block")
        levels: Count = Field(4, description="below the first")
        blocks: Count = Field(2, description="a level")
        deep_supervision: bool = Field(False, description="learn at coarser scales too")

    def __init__(self, options: Options) -> None:
        super().__init__()
        channels, levels, blocks = options.channels, options.levels, options.blocks
        self.net = nets.MedNeXt(
            3, channels, 1, 1, *[options.expansion] * 3, options.kernel, options.deep_supervision,
            use_residual_connection=True, blocks_down=[blocks] * levels, blocks_bottleneck=blocks,
            blocks_up=[blocks] * levels,
        )  # fmt: skip
        self.feature_channels = tuple(channels * 2**level for level in range(levels + 1))
        self.feature_strides = cumulative([1] + [2] * levels)
        self.divisor = 2**levels
        self.encoder_prefixes = ("net.stem.", "net.enc_stages.", "net.down_blocks.",
                                 "net.bottleneck.")  # fmt: skip
        self.head_prefixes = ("net.out_0.", "net.out_blocks.")

    def encode(self, image: Tensor) -> list[Tensor]:
        features, out = [], self.net.stem(image)
        for stage, down in zip(self.net.enc_stages, self.net.down_blocks, strict=True):
            features.append(stage(out))
            out = down(features[-1])
        return [*features, self.net.bottleneck(out)]

    def decode(self, image: Tensor, features: list[Tensor]) -> Tensor | list[Tensor]:
        maps, stages = [features[-1]], zip(self.net.up_blocks, self.net.dec_stages, strict=True)
        for (up, stage), skip in zip(stages, reversed(features[:-1]), strict=True):
            maps.append(stage(up(maps[-1]) + skip))
        logits = self.net.out_0(maps[-1])
        if not (self.training and self.net.do_ds):
            return logits
        coarser = [head(map_) for head, map_ in zip(self.net.out_blocks, maps[:-1], strict=True)]
        return [logits, *reversed(coarser)]


def running(blocks: Sequence[nn.Module], image: Tensor) -> list[Tensor]:
    """Apply blocks one after the other and keep what each gives."""
    return list(accumulate(blocks, lambda out, block: block(out), initial=image))[1:]


def cumulative(strides: Sequence[Stride]) -> tuple[Size, ...]:
    """Strides of each level against the image, (z,y,x), from those against the level before."""
    triples = [(s, s, s) if isinstance(s, int) else tuple(s) for s in strides]
    products = accumulate(triples, lambda a, b: tuple(i * j for i, j in zip(a, b, strict=True)))
    return tuple(products)
