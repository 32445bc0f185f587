"""A batch in few tensors, to be handed to another process or moved to a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .task import Batch

SMALL_BYTES = 1 << 18  # of tensors that are packed together


@dataclass(frozen=True)
class Packed:
    """Tensors of a batch as they are where they are large; the small ones of a type in a row.

    Each tensor that is handed to another process takes a file descriptor there, of which a process
    has 1,024 by default: some fifty draws a batch, of batches that a dozen of workers have ready,
    are more. And each that is moved to a GPU is a copy of its own.

    shapes: of all tensors by their names, in the order of the batch. rows: by type, the names in
    them and their voxels or numbers (n,).
    """

    shapes: dict[str, torch.Size]
    large: Batch
    rows: list[tuple[list[str], Tensor]]

    @classmethod
    def of(cls, batch: Batch) -> Packed:
        """Pack a batch."""
        large = {name: each for name, each in batch.items() if each.nbytes > SMALL_BYTES}
        by_type: dict[torch.dtype, list[str]] = {}
        for name, each in batch.items():
            if name not in large:
                by_type.setdefault(each.dtype, []).append(name)
        rows = [
            (names, torch.cat([batch[name].reshape(-1) for name in names]))
            for names in by_type.values()
        ]
        return cls({name: each.shape for name, each in batch.items()}, large, rows)

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Packed:
        """The same with each of the few tensors changed, such as moved."""
        return Packed(
            self.shapes,
            {name: change(each) for name, each in self.large.items()},
            [(names, change(row)) for names, row in self.rows],
        )

    def batch(self) -> Batch:
        """The batch; small tensors are views of their rows."""
        found = dict(self.large)
        for names, row in self.rows:
            lengths = [self.shapes[name].numel() for name in names]
            for name, part in zip(names, row.split(lengths), strict=True):
                found[name] = part.view(self.shapes[name])
        return {name: found[name] for name in self.shapes}
