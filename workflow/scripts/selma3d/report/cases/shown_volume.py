"""A whole volume of a structure with the masks that are shown of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...challenge.display import Entrant


@dataclass(frozen=True)
class ShownVolume:
    """A volume of a structure, the channel that is seen, and the masks that entrants made of it."""

    structure: str
    sample: str
    volume_h5: Path
    channel: int
    masks: Mapping[Entrant, Path]

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> ShownVolume:
        """Build it again from what `plain` gave."""
        masks = {(method, init): Path(path) for method, init, path in plain["masks"]}
        path = Path(plain["volume_h5"])
        return cls(plain["structure"], plain["sample"], path, plain["channel"], masks)

    def plain(self) -> dict[str, Any]:
        """The same as plain data, for the params of a rule."""
        return {
            "structure": self.structure,
            "sample": self.sample,
            "volume_h5": str(self.volume_h5),
            "channel": self.channel,
            "masks": [[*entrant, str(path)] for entrant, path in self.masks.items()],
        }
