"""Test cases of a structure with the predictions that are shown of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...challenge.display import Entrant


@dataclass(frozen=True)
class ShownCases:
    """A structure's cases, the channel that is seen, and one prediction file an entrant."""

    structure: str
    cases_h5: Path
    channel: int
    predictions: Mapping[Entrant, Path]

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> ShownCases:
        """Build it again from what `plain` gave."""
        predictions = {(method, init): Path(path) for method, init, path in plain["predictions"]}
        return cls(plain["structure"], Path(plain["cases_h5"]), plain["channel"], predictions)

    def plain(self) -> dict[str, Any]:
        """The same as plain data, for the params of a rule."""
        return {
            "structure": self.structure,
            "cases_h5": str(self.cases_h5),
            "channel": self.channel,
            "predictions": [[*entrant, str(path)] for entrant, path in self.predictions.items()],
        }
