"""The patches that one run of a method may learn from, and those that it may choose by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..challenge.run import Run
from ..splits import check_disjoint, read_split, training_patches, validation_patches
from ..volumes import PatchFile
from ..volumes.storage import VoxelSize


@dataclass(frozen=True)
class Source:
    """One structure that is learnt: its patches, who of them trains, the channel that is seen."""

    structure: str
    patches: Path
    split: Path
    channel: int


@dataclass(frozen=True)
class Example:
    """An annotated patch in the part that it has in a run: `train` or `validation`."""

    structure: str
    patch: str
    role: str
    image: np.ndarray  # (Z,Y,X), as stored
    mask: np.ndarray  # (Z,Y,X) uint8 {0,1}
    voxel_size_um: VoxelSize | None


def examples(sources: Sequence[Source], run: Run) -> Iterator[Example]:
    """Training patches of the run's budget, fold and seed, then validation patches; one by one.

    The run `default` takes the table's first seed: with budget `all`, a seed orders the patches.

    Raises InputError where a specimen is in two parts, or the budget exceeds the training set.
    """
    splits = [read_split(source.split) for source in sources]
    check_disjoint(splits, [])
    for source, split in zip(sources, splits, strict=True):
        seed = int(split["seed"].iloc[0]) if run.init == "default" else run.seed
        chosen = {
            "train": training_patches(split, run.fold, seed, run.budget),
            "validation": validation_patches(split, run.fold),
        }
        with PatchFile(source.patches) as file:
            for role, patches in chosen.items():
                for patch in patches:
                    yield Example(
                        source.structure,
                        patch,
                        role,
                        file.image(patch, source.channel),
                        file.mask(patch),
                        file.voxel_size_um(patch),
                    )
