"""Files of a slab in progress: masks of finished blocks, and sums that later blocks add to."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np

from ..images.hdf5_writing import writing_hdf5
from ..images.storage import boxes, chunk_shape, compression
from ..system.atomic import publish
from ..system.errors import InputError
from .blocks import NEIGHBOURS, Block, Index, shifted

log = logging.getLogger(__name__)


class BlockFiles:
    """A file a block, in a folder that is named after all that decides their content.

    A block's file appears whole, and is then done. Blocks of nothing but air have none.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int]) -> None:
        self.folder, self._chunk = folder, chunk_shape(shape)

    def keep_only(self) -> None:
        """Remove what other models, volumes or settings, or killed runs, have left behind."""
        for other in self.folder.parent.iterdir():
            if other.is_dir() and other != self.folder:
                log.info("%s: blocks of another model, volume or setting, removed", other)
                shutil.rmtree(other)
        self.folder.mkdir(exist_ok=True)
        for partial in self.folder.glob(".*.partial*"):
            partial.unlink()

    def path(self, block: Block) -> Path:
        """The file of a finished block."""
        return self.folder / f"{block.name}.h5"

    def is_done(self, block: Block) -> bool:
        """Whether the block needs no computing any more."""
        return self.path(block).exists()

    def write(self, block: Block, arrays: dict[str, np.ndarray]) -> None:
        """Store arrays (Z,Y,X) of a block's core, in the chunks of the final file.

        Chunks that are 0 throughout are left out: HDF5 reads them as 0.
        """
        with publish(self.path(block)) as temporary, writing_hdf5(temporary) as file:
            for name, array in arrays.items():
                # Chunks at the far ends are whole chunks in the final file too.
                whole = [-(-n // c) * c for n, c in zip(array.shape, self._chunk, strict=True)]
                stored = file.create_dataset(
                    name, whole, array.dtype, chunks=self._chunk, **compression()
                )
                for part in boxes(array.shape, self._chunk):
                    if array[part].any():
                        stored[part] = array[part]

    def write_spill(self, block: Block, total: np.ndarray) -> None:
        """Store what a block's windows add to the blocks after it; `total` covers its reach."""
        core = shifted(block.core, block.core)
        pieces = {}
        for step in NEIGHBOURS:
            region = tuple(
                slice(c.stop, None) if ahead else c for c, ahead in zip(core, step, strict=True)
            )
            if total[region].size:
                pieces[_key(step)] = total[region]
        with publish(self._spill_path(block.index)) as temporary:
            np.savez(temporary, **pieces)

    def spill(self, index: Index, step: Index) -> np.ndarray | None:
        """What block `index` adds to the block a `step` further on, float32; None if nothing.

        Raises InputError where the file of a block that has computed windows is gone.
        """
        path = self._spill_path(index)
        try:
            with np.load(path) as pieces:
                return pieces.get(_key(step))
        except FileNotFoundError:
            raise InputError(
                f"{path}: expected the spill of a finished block, found nothing "
                f"(remove {self.folder} and start again)"
            ) from None

    def drop_spill(self, index: Index) -> None:
        """Give the room of spill back that every block has had."""
        self._spill_path(index).unlink(missing_ok=True)

    def _spill_path(self, index: Index) -> Path:
        return self.folder / f"{'-'.join(f'{i:04d}' for i in index)}.spill.npz"


def _key(step: Index) -> str:
    return "".join(map(str, step))
