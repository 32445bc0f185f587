"""Test cases of a structure with the predictions that are shown of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...challenge.display import EntrantFiles
from ...system.records import Plain


@dataclass(frozen=True)
class ShownCases(Plain):
    """A structure's cases, the channel that is seen, and one prediction file an entrant."""

    structure: str
    cases_h5: Path
    channel: int
    predictions: EntrantFiles
