"""Predictions of one model for the test cases of a structure."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import cc3d
import numpy as np

from ..images import PatchFile, PredictionWriter
from .model import TrainedModel
from .settings import DEFAULT, WindowSettings

log = logging.getLogger(__name__)


def predict_cases(
    model: TrainedModel,
    cases: Path,
    predictions: Path,
    *,
    structure: str,
    method: str,
    run: str,
    settings: WindowSettings = DEFAULT,
) -> None:
    """Segment every case of `cases` (HDF5) and write its masks, with probabilities if asked.

    Raises InputError for a model of another structure and for images that it cannot segment.
    """
    channel = model.channel(structure)
    with PatchFile(cases) as images, PredictionWriter(predictions, method, structure, run) as out:
        begin = time.monotonic()
        for number, case in enumerate(images.ids, start=1):
            likelihood = model.probability(
                images.image(case, channel), images.intensity(case, channel), settings
            )
            kept = likelihood if settings.probability else None
            out.add(case, binarise(model, likelihood), kept)
            elapsed = time.monotonic() - begin
            left = elapsed / number * (len(images.ids) - number)
            log.info("%s: case %d of %d, %.0f s left", structure, number, len(images.ids), left)


def binarise(model: TrainedModel, probability: np.ndarray) -> np.ndarray:
    """Mask uint8 (Z,Y,X): above the validated threshold, without components that are too small."""
    mask = (probability > model.threshold).astype(np.uint8)
    return without_specks(mask, model.min_component_voxels)


def without_specks(mask: np.ndarray, smallest: int) -> np.ndarray:
    """A mask uint8 (Z,Y,X) without 26-connected components of fewer than `smallest` voxels."""
    return cc3d.dust(mask, threshold=smallest, connectivity=26) if smallest > 1 else mask
