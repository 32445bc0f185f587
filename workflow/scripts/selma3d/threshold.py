"""A classical baseline: smooth, threshold, drop specks.

Three numbers are chosen by a grid search on the training patches alone: the width of the smoothing,
the threshold in the image's own standardised intensity, the smallest component that is kept.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cc3d
import numpy as np
from scipy.ndimage import gaussian_filter

from .errors import InputError
from .splits import read_split, training_patches
from .volumes import Intensity, PatchFile, PredictionWriter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setting:
    """What the baseline has to choose."""

    sigma: float  # voxels
    threshold: float  # robust standard deviations above the image's median
    min_voxels: int

    def segment(self, image: np.ndarray, intensity: Intensity) -> np.ndarray:
        """Mask uint8 (Z,Y,X) of a raw image (Z,Y,X)."""
        return self.cut(smoothed(image, intensity, self.sigma))

    def cut(self, brightness: np.ndarray) -> np.ndarray:
        """Mask uint8 (Z,Y,X) of an image that is smoothed and standardised already."""
        mask = (brightness > self.threshold).astype(np.uint8)
        return cc3d.dust(mask, threshold=self.min_voxels, connectivity=26)


def smoothed(image: np.ndarray, intensity: Intensity, sigma: float) -> np.ndarray:
    """Gaussian-smoothed brightness above the median, in robust standard deviations."""
    percentiles = intensity.percentiles
    spread = (percentiles["75"] - percentiles["25"]) / 1.349 or intensity.sd or 1.0
    standard = (image.astype(np.float32) - percentiles["50"]) / spread
    return gaussian_filter(standard, sigma)


def choose_setting(
    patches: Sequence[tuple[np.ndarray, Intensity, np.ndarray]],
    *,
    sigmas: Sequence[float],
    thresholds: Sequence[float],
    min_voxels: Sequence[int],
) -> Setting:
    """The setting with the best mean Dice over (image, intensity, truth); the first among equals."""
    best, best_dice = None, -1.0
    for sigma in sigmas:
        brightness = [(smoothed(image, i, sigma), truth) for image, i, truth in patches]
        for threshold, smallest in itertools.product(thresholds, min_voxels):
            setting = Setting(sigma, threshold, smallest)
            dice = np.mean([_dice(setting.cut(bright), truth) for bright, truth in brightness])
            if dice > best_dice:
                best, best_dice = setting, float(dice)
    log.info("chosen on %d training patches: %s, mean Dice %.3f", len(patches), best, best_dice)
    return best


def segment_cases(
    training: Sequence[tuple[str, Path, Path]],
    channels: Mapping[str, int],
    cases: Path,
    predictions: Path,
    *,
    method: str,
    structure: str,
    settings: Mapping[str, Sequence],
) -> None:
    """Choose a setting on (structure, patches, split) triples, then segment every case with it."""
    setting = choose_setting(list(_training_images(training, channels)), **settings)
    channel = channels[structure]
    with (
        PatchFile(cases) as file,
        PredictionWriter(predictions, method, structure, "default") as out,
    ):
        for case in file.ids:
            out.add(case, setting.segment(file.image(case, channel), file.intensity(case, channel)))


def _training_images(
    training: Sequence[tuple[str, Path, Path]], channels: Mapping[str, int]
) -> Iterator[tuple[np.ndarray, Intensity, np.ndarray]]:
    for structure, patches, split in training:
        chosen = training_patches(read_split(split), fold=0, seed=None, budget=None)
        if not chosen:
            raise InputError(f"{split}: expected training patches, found none")
        channel = channels[structure]
        with PatchFile(patches) as file:
            for patch in chosen:
                yield file.image(patch, channel), file.intensity(patch, channel), file.mask(patch)


def _dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    total = int(prediction.sum()) + int(truth.sum())
    return 1.0 if total == 0 else 2.0 * int((prediction & truth).sum()) / total
