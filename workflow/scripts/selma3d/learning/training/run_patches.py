"""The annotated patches that a run is trained and validated on."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ...challenge.edition import UNKNOWN
from ...challenge.run import Run
from ...challenge.source import Source
from ...images import PatchFile, read_index
from ...images.splits import read_split, training_patches, validation_patches
from ...system.errors import InputError
from .weight_files import PatchesRecord


@dataclass(frozen=True)
class RunPatches:
    """Training and validation patches of one structure, in the split's order."""

    structure: str
    file: PatchFile
    channel: int
    training: list[str]
    validation: list[str]
    index: pd.DataFrame  # by patch id

    @classmethod
    def of(cls, source: Source, run: Run) -> RunPatches:
        """Take the training patches of a run's budget, fold and seed, and all that validate it.

        Raises InputError where the split has no such fold, too few patches, or patches that the
        index lacks.
        """
        split = read_split(source.split)
        training = training_patches(split, run.fold, run.seed, run.budget)
        validation = sorted(validation_patches(split, run.fold))
        if not validation:
            raise InputError(
                f"{source.split}: fold {run.fold}: expected validation patches, found none"
            )
        table = source.patches.with_suffix(".tsv")
        index = read_index(table).set_index("id")
        if absent := sorted(set(training + validation) - set(index.index)):
            raise InputError(f"{table}: expected every patch of {source.split}, lacks {absent}")
        used = index.loc[training + validation]
        if hidden := used.index[used["labelled"] == 0].tolist():
            raise InputError(
                f"{table}: labelled: expected patches with masks, found none of {hidden}"
            )
        return cls(
            structure=source.structure,
            file=PatchFile(source.patches),
            channel=source.channel,
            training=training,
            validation=validation,
            index=index,
        )

    def record(self) -> PatchesRecord:
        """The part of them that decides a result."""
        return {
            "channel": self.channel,
            "training": self.index.loc[self.training, "sha256"].tolist(),
            "validation": self.index.loc[self.validation, "sha256"].tolist(),
        }

    def specimens(self, patches: list[str]) -> list[str]:
        """The known specimens of some patches."""
        return sorted(set(self.index.loc[patches, "specimen"]) - {""})

    def voxel_sizes_um(self) -> list[list[float]]:
        """Sizes (z,y,x) of the training patches' voxels, each once; none where one is unknown."""
        sizes = set(self.index.loc[self.training, "voxel_size_um"])
        if UNKNOWN in sizes:
            return []
        return sorted([float(length) for length in size.split(",")] for size in sizes)
