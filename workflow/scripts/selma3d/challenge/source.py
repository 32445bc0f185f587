"""Source of a training: a structure's annotated patches, their split, the channel that is seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..system.records import Plain


@dataclass(frozen=True)
class Source(Plain):
    """One structure that is learnt: its patches, their roles, the channel that is seen."""

    structure: str
    patches: Path  # HDF5
    split: Path
    channel: int
