"""Numbers of images and models that a configuration asks for, told beside what was made."""

from __future__ import annotations

from dataclasses import dataclass

from ..system.records import Plain


@dataclass(frozen=True)
class Requested(Plain):
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
