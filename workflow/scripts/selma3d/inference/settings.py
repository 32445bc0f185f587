"""Settings of inference: windows that overlap, blocks of volumes, and what is written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WindowSettings:
    """How a network's window slides over an image, and what is written.

    overlap: of neighbouring windows, a share of their size. batch: windows at a time.
    probability: write it too, as float16. flips: average over the eight mirror images (cases).
    block: edge in voxels; memory follows it and the window, not the volume (volumes).
    skip_air: leave out what the occupancy map says is air (volumes).
    """

    overlap: float = 0.5
    batch: int = 4
    probability: bool = False
    flips: bool = False
    block: int = 256
    skip_air: bool = True


DEFAULT = WindowSettings()
