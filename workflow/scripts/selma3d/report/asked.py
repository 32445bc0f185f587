"""Numbers of images and models that a configuration asks for, told beside what was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Asked:
    """Numbers of images and models that a configuration asks for.

    volumes: unannotated images that encoders learn from. structures: those with training labels.
    encoders, models: trained networks, over methods, seeds and folds. predictions: runs on
    a structure.
    """

    volumes: int
    structures: int
    encoders: int
    models: int
    predictions: int

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Asked:
        """Build it again from what `plain` gave."""
        return cls(**plain)

    def plain(self) -> dict[str, int]:
        """The same as plain data, for the params of a rule."""
        return asdict(self)
