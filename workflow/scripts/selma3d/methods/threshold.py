"""A classical baseline: smooth, threshold, drop specks.

Three numbers are chosen by a grid search on the training patches alone: the width of the smoothing,
the threshold as a percentile of the image, so that gain and background drop out, and the smallest
component that is kept.
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

from ..images import PatchFile, PredictionWriter
from ..images.splits import read_split, training_patches

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setting:
    """What the baseline has to choose."""

    sigma: float  # voxels
    percentile: float  # of the smoothed image: what is brighter is foreground
    min_voxels: int

    def segment(self, image: np.ndarray) -> np.ndarray:
        """Mask uint8 (Z,Y,X) of a raw image (Z,Y,X)."""
        return self.cut(smoothed(image, self.sigma))

    def cut(self, brightness: np.ndarray) -> np.ndarray:
        """Mask uint8 (Z,Y,X) of an image that is smoothed already."""
        mask = (brightness > np.percentile(brightness, self.percentile)).astype(np.uint8)
        return cc3d.dust(mask, threshold=self.min_voxels, connectivity=26)


def smoothed(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian-smoothed brightness, float32."""
    return gaussian_filter(image.astype(np.float32), sigma)


def choose_setting(
    patches: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    sigmas: Sequence[float],
    percentiles: Sequence[float],
    min_voxels: Sequence[int],
) -> Setting:
    """The setting with the best mean Dice over (image, truth); the first among equals."""
    best, best_dice = None, -1.0
    for sigma in sigmas:
        brightness = [(smoothed(image, sigma), truth) for image, truth in patches]
        for percentile, smallest in itertools.product(percentiles, min_voxels):
            setting = Setting(sigma, percentile, smallest)
            mean = np.mean([dice(setting.cut(bright), truth) for bright, truth in brightness])
            if mean > best_dice:
                best, best_dice = setting, float(mean)
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
            out.add(case, setting.segment(file.image(case, channel)))


def _training_images(
    training: Sequence[tuple[str, Path, Path]], channels: Mapping[str, int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for structure, patches, split in training:
        table, channel = read_split(split), channels[structure]
        with PatchFile(patches) as file:
            for patch in training_patches(table, fold=0, seed=0):
                yield file.image(patch, channel), file.mask(patch)


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """2|P∩G| / (|P|+|G|) of two masks of 0 and 1; 1 where both are empty."""
    total = int(prediction.sum()) + int(truth.sum())
    return 1.0 if total == 0 else 2.0 * int((prediction & truth).sum()) / total
