"""Predictions of one model for the test cases of a structure."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import cc3d
import numpy as np

from ..volumes import PatchFile, PredictionWriter
from .model import TrainedModel

log = logging.getLogger(__name__)


def predict_cases(
    model: TrainedModel,
    cases: Path,
    predictions: Path,
    *,
    structure: str,
    method: str,
    run: str,
    overlap: float = 0.5,
    batch: int = 4,
    flips: bool = False,
    probability: bool = False,
) -> None:
    """Segment every case of `cases` (HDF5) and write its masks, with probabilities if asked.

    Raises InputError for a model of another structure and for images that it cannot segment.
    """
    channel = model.channel(structure)
    with PatchFile(cases) as images, PredictionWriter(predictions, method, structure, run) as out:
        begin = time.monotonic()
        for number, case in enumerate(images.ids, start=1):
            likelihood = model.probability(
                images.image(case, channel),
                images.intensity(case, channel),
                overlap=overlap,
                batch=batch,
                flips=flips,
            )
            out.add(case, binarise(model, likelihood), likelihood if probability else None)
            elapsed = time.monotonic() - begin
            left = elapsed / number * (len(images.ids) - number)
            log.info("%s: case %d of %d, %.0f s left", structure, number, len(images.ids), left)


def binarise(model: TrainedModel, probability: np.ndarray) -> np.ndarray:
    """Mask uint8 (Z,Y,X): above the validated threshold, without components that are too small."""
    mask = (probability > model.threshold).astype(np.uint8)
    if model.min_component_voxels > 1:
        mask = cc3d.dust(mask, threshold=model.min_component_voxels, connectivity=26)
    return mask
