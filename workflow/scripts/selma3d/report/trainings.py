"""Trainings of an entrant on one group of images, whose histories are drawn together."""

from __future__ import annotations

from dataclasses import dataclass

from ..challenge.display import Entrant
from ..system.records import Plain


@dataclass(frozen=True)
class Trainings(Plain):
    """Histories of an entrant's trainings on one group of images: a file a seed and fold."""

    entrant: Entrant
    learnt_from: str
    histories: tuple[str, ...]
