"""Source of a training: a structure's annotated patches, their split, the channel that is seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """One structure that is learnt: its patches, their roles, the channel that is seen."""

    structure: str
    patches: Path  # HDF5
    split: Path
    channel: int

    def plain(self) -> dict[str, str | int]:
        """The same as plain data, for the params of a rule."""
        return {
            "structure": self.structure,
            "patches": str(self.patches),
            "split": str(self.split),
            "channel": self.channel,
        }

    @classmethod
    def read(cls, plain: dict[str, str | int]) -> Source:
        """Build it again from plain data."""
        return cls(
            str(plain["structure"]),
            Path(str(plain["patches"])),
            Path(str(plain["split"])),
            int(plain["channel"]),
        )
