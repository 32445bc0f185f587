"""Computation of a slab, block by block: loading, computing and writing overlap.

The file of a block appears under its name when its mask is whole, after its spill for the blocks
that follow. While a block is written the next one is computed, but its computing does not end
before the first one is safe: a kill costs at most one computed block, and what had begun of the
next one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..images import VolumeFile
from ..learning.device import memory_for
from ..learning.windows import pad_to_window, window_weights
from ..system.errors import InputError
from .block_files import BlockFiles
from .blocks import Block, BlockGrid, Box, Index, common, shifted
from .model import TrainedModel
from .resampling import Resampling
from .settings import WindowSettings
from .slab_files import decided

log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What a run did: blocks and windows computed, windows left out as air, seconds."""

    blocks: int = 0
    windows: int = 0
    air: int = 0
    computing_s: float = 0.0
    total_s: float = 0.0


class Sweep:
    """One run over a slab: loads, computes and writes in three threads, a block apart."""

    def __init__(
        self,
        model: TrainedModel,
        source: VolumeFile,
        channel: int,
        grid: BlockGrid,
        settings: WindowSettings,
        files: BlockFiles,
        resampling: Resampling,
    ) -> None:
        self._model, self._source, self._channel = model, source, channel
        self._grid, self._settings, self._files = grid, settings, files
        self._resampling = resampling
        self._intensity = source.intensity(channel)
        self._occupied = (
            resampling.occupied(source.occupied(channel), source.block)
            if settings.skip_air
            else None
        )
        self._weights = window_weights(grid.window)
        self._weights_there = self._weights.to(model.compute.device)
        blocks = list(grid.blocks(self._occupied, source.block))
        self._active = {block.index: block for block in blocks if block.windows}
        self.wanted = [b for b in blocks if b.windows or any(self._spilling_into(b))]
        self._air = grid.window_count() - sum(len(block.windows) for block in blocks)

    def run(self) -> Tally:
        """Compute every wanted block that is not done yet."""
        begin, tally = time.monotonic(), Tally(air=self._air)
        waiting = [block for block in self.wanted if not self._files.is_done(block)]
        log.info("%s: %d blocks, %d to do", self._source.path, len(self.wanted), len(waiting))
        with ThreadPoolExecutor(1) as loader, ThreadPoolExecutor(1) as writer:
            safe: Future | None = None
            for block, seen in _ahead(loader, self._load, waiting):
                started = time.monotonic()
                total = self._predict(block, seen)
                tally.computing_s += time.monotonic() - started
                if safe is not None:
                    safe.result()
                tally.windows += len(block.windows)
                tally.blocks += 1
                safe = writer.submit(self._finish, block, total)
                left = (time.monotonic() - begin) / tally.blocks * (len(waiting) - tally.blocks)
                log.info("%d of %d blocks, about %.0f s left", tally.blocks, len(waiting), left)
            if safe is not None:
                safe.result()
        tally.total_s = time.monotonic() - begin
        log.info(
            "%d windows computed, %d left out as air, %.2f a second, %.1f %% of the time idle",
            tally.windows,
            tally.air,
            tally.windows / tally.total_s,
            100 * (1 - tally.computing_s / tally.total_s),
        )
        return tally

    def _spilling_into(self, block: Block) -> Iterator[tuple[Block, Index]]:
        """The blocks with windows that reach into `block`, each with the step from it."""
        for index, step in self._grid.before(block):
            if index in self._active:
                yield self._active[index], step

    def _load(self, block: Block) -> Tensor | None:
        """What the network sees (1,1,Z,Y,X) under the block's windows; None if it has none."""
        if not block.windows:
            return None
        box = block.extent(self._grid.window)
        inside = tuple(
            slice(side.start, min(side.stop, n))
            for side, n in zip(box, self._grid.shape, strict=True)
        )
        needed = self._resampling.needed(inside)
        raw = self._source.read(self._channel, needed)
        if not np.isfinite(raw).all():
            raise InputError(
                f"{self._source.path}: expected finite intensities, found NaN or infinity in "
                f"voxels {', '.join(f'{s.start}:{s.stop}' for s in needed)} (convert it again)"
            )
        seen = self._resampling.part(self._model.normalised(raw, self._intensity), inside)
        return pad_to_window(seen, [side.stop - side.start for side in box])

    @torch.inference_mode()
    def _predict(self, block: Block, seen: Tensor | None) -> np.ndarray | None:
        """Weighted sum of predictions, float32 over the block's reach; None without windows.

        All on the device: what the network sees is moved there once, and the sum once back.
        """
        if seen is None:
            return None
        extent = block.extent(self._grid.window)
        with memory_for(lambda: _too_large(extent, self._model)):
            compute, batch = self._model.compute, self._settings.batch
            seen = compute.sent(seen)
            reach = [side.stop - side.start for side in block.reach]
            blended = torch.zeros(reach, device=compute.device)
            for first in range(0, len(block.windows), batch):
                starts = block.windows[first : first + batch]
                windows = torch.cat([seen[self._window(start, extent)] for start in starts])
                with compute.autocast():
                    predicted = self._model.probability_of_windows(windows)
                weighted = predicted[:, 0] * self._weights_there
                for start, prediction in zip(starts, weighted, strict=True):
                    self._add(blended, prediction, start, block.reach)
            return compute.fetched(blended).numpy()

    def _finish(self, block: Block, total: np.ndarray | None) -> None:
        """Add the spill of the blocks before, decide and write the mask, pass the spill on.

        On a grid of the network's own the mask is not decided yet: that takes the volume's.
        """
        probability = self._blended(block, total)
        if self._occupied is not None:
            probability *= _in_voxels(
                self._occupied, block.core, self._source.block, probability.shape
            )
        if self._resampling.changes:
            arrays = {"probability": probability}
        else:
            arrays = decided(probability, self._model.threshold, self._settings.probability)
        if total is not None:
            self._files.write_spill(block, total)
        self._files.write(block, arrays)
        for before, _ in self._spilling_into(block):
            if self._grid.last_reader(before.index) == block.index:
                self._files.drop_spill(before.index)

    def _blended(self, block: Block, total: np.ndarray | None) -> np.ndarray:
        """Probability, float32, of the part of the block's core that is inside the volume."""
        core = shifted(block.core, block.core)
        blended = np.zeros([side.stop for side in core], dtype=np.float32)
        if total is not None:
            blended += total[core]
        for before, step in self._spilling_into(block):
            spill = self._files.spill(before.index, step)
            if spill is not None:
                blended[tuple(slice(n) for n in spill.shape)] += spill
        weights = np.zeros_like(blended)
        for start in self._grid.covering(block.core):
            self._add(weights, self._weights.numpy(), start, block.core)
        blended /= weights
        self._model.check_finite(blended)
        return blended[
            tuple(
                slice(min(side.stop, n) - side.start)
                for side, n in zip(block.core, self._grid.shape, strict=True)
            )
        ]

    def _window(self, start: Index, extent: Box) -> tuple[slice, ...]:
        sides = zip(start, extent, self._grid.window, strict=True)
        box = (slice(s - e.start, s - e.start + w) for s, e, w in sides)
        return (slice(None), slice(None), *box)

    def _add(
        self, total: np.ndarray | Tensor, values: np.ndarray | Tensor, start: Index, box: Box
    ) -> None:
        """Add a window's values to the part of it that lies in `box`, which `total` covers."""
        there, here = common(start, self._grid.window, box)
        total[there] += values[here]


def _too_large(extent: Box, model: TrainedModel) -> str:
    """The line on a block that a GPU has too little memory for."""
    shown = "×".join(str(side.stop - side.start) for side in extent)
    return (
        f"{model.path}: GPU out of memory: a block of {shown} voxels needs more than there is "
        "(a smaller segment.block in the configuration)"
    )


def _ahead(
    pool: ThreadPoolExecutor, load: Callable[[Block], Tensor | None], blocks: Sequence[Block]
) -> Iterator[tuple[Block, Tensor | None]]:
    """Each block with what `load` gives for it, loaded while the one before is at work."""
    coming = pool.submit(load, blocks[0]) if blocks else None
    for number, block in enumerate(blocks, start=1):
        loaded = coming.result()
        if number < len(blocks):
            coming = pool.submit(load, blocks[number])
        yield block, loaded


def _in_voxels(occupied: np.ndarray, core: Box, unit: int, shape: tuple[int, ...]) -> np.ndarray:
    """The cubes (z,y,x) that lie in a core, as voxels (Z,Y,X)."""
    cubes = occupied[tuple(slice(side.start // unit, -(-side.stop // unit)) for side in core)]
    for axis in range(3):
        cubes = cubes.repeat(unit, axis=axis)
    return cubes[tuple(slice(n) for n in shape)]
