"""Trainings of an entrant on one group of images, whose histories are drawn together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..challenge.display import Entrant


@dataclass(frozen=True)
class Trainings:
    """Histories of an entrant's trainings on one group of images: a file a seed and fold."""

    entrant: Entrant
    learnt_from: str
    histories: tuple[str, ...]

    @classmethod
    def read(cls, plain: Sequence[Any]) -> Trainings:
        """Build it again from what `plain` gave."""
        method, init, learnt_from, histories = plain
        return cls((method, init), learnt_from, tuple(histories))

    def plain(self) -> list[Any]:
        """The same as plain data, for the params of a rule."""
        return [*self.entrant, self.learnt_from, list(self.histories)]
