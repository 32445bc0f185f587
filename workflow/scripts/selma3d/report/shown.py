"""Images, trainings and numbers that the report shows, as rules hand them to scripts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..challenge.display import Entrant, EntrantFiles
from ..system.records import Plain


@dataclass(frozen=True)
class ShownCases(Plain):
    """A structure's cases, the channel that is seen, and one prediction file an entrant."""

    structure: str
    cases_h5: Path
    channel: int
    predictions: EntrantFiles


@dataclass(frozen=True)
class ShownVolume(Plain):
    """A volume of a structure, the channel that is seen, and the masks that entrants made of it."""

    structure: str
    sample: str
    volume_h5: Path
    channel: int
    masks: EntrantFiles


@dataclass(frozen=True)
class Trainings(Plain):
    """Histories of an entrant's trainings on one group of images: a file a seed and fold."""

    entrant: Entrant
    learnt_from: str
    histories: tuple[str, ...]


@dataclass(frozen=True)
class Requested(Plain):
    """Numbers of images and models that a configuration asks for, told beside what was made.

    volumes: unannotated images that encoders learn from. structures: those with training labels.
    encoders, models: trained networks, over methods, seeds and folds. predictions: runs on
    a structure.
    """

    volumes: int
    structures: int
    encoders: int
    models: int
    predictions: int
