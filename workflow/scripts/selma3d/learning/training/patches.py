"""Which annotated patches a run is trained and validated on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...images import PatchFile, read_index
from ...images.splits import read_split, training_patches, validation_patches
from ...system.errors import InputError


@dataclass(frozen=True)
class Patches:
    """Training and validation patches of one structure, in the split's order."""

    structure: str
    file: PatchFile
    channel: int
    training: list[str]
    validation: list[str]
    index: pd.DataFrame  # by patch id

    @classmethod
    def of(cls, source: dict, budget: int | None, fold: int, seed: int) -> Patches:
        """Take the first `budget` training patches (None: all) of a fold and seed.

        source: {structure, patches (HDF5), split (TSV), channel}. Raises InputError where the split
        has no such fold, too few patches, or patches that the index lacks.
        """
        split = read_split(source["split"])
        training = training_patches(split, fold, seed, "all" if budget is None else budget)
        validation = sorted(validation_patches(split, fold))
        if not training or not validation:
            raise InputError(
                f"{source['split']}: fold {fold}: expected training and validation patches, found "
                f"{len(training)} and {len(validation)}"
            )
        table = Path(source["patches"]).with_suffix(".tsv")
        index = read_index(table).set_index("id")
        if absent := sorted(set(training + validation) - set(index.index)):
            raise InputError(f"{table}: expected every patch of {source['split']}, lacks {absent}")
        used = index.loc[training + validation]
        if hidden := used.index[used["labelled"] == 0].tolist():
            raise InputError(
                f"{table}: labelled: expected patches with masks, found none of {hidden}"
            )
        return cls(
            structure=source["structure"],
            file=PatchFile(source["patches"]),
            channel=int(source["channel"]),
            training=training,
            validation=validation,
            index=index,
        )

    def content(self) -> dict:
        """What decides a result: hashes of the patches, by role and in order."""
        return {
            "channel": self.channel,
            "training": self.index.loc[self.training, "sha256"].tolist(),
            "validation": self.index.loc[self.validation, "sha256"].tolist(),
        }

    def specimens(self, patches: list[str]) -> list[str]:
        """The known specimens of some patches."""
        return sorted(set(self.index.loc[patches, "specimen"]) - {""})
