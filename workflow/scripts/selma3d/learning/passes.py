"""Passes of images through a network in one step, from which its operations are counted."""

from __future__ import annotations

from dataclasses import dataclass

from ..challenge.recipe import Size


@dataclass(frozen=True)
class Pass:
    """What a step does with one window of its batch.

    size: voxels (z,y,x) that the network sees. number: of such images a window. decoded: whether
    the decoder follows the encoder. learnt: whether a gradient comes back. share: of the steps that
    do so.
    """

    size: Size
    number: float = 1
    decoded: bool = True
    learnt: bool = True
    share: float = 1.0
