"""A whole volume of a structure with the masks that are shown of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...challenge.display import EntrantFiles
from ...system.records import Plain


@dataclass(frozen=True)
class ShownVolume(Plain):
    """A volume of a structure, the channel that is seen, and the masks that entrants made of it."""

    structure: str
    sample: str
    volume_h5: Path
    channel: int
    masks: EntrantFiles
