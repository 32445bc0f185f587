"""A classical baseline: smooth, threshold, drop specks.

Three numbers are chosen by a grid search on the training patches alone: the width of the smoothing,
the threshold as a percentile of the image, so that gain and background drop out, and the smallest
component that is kept.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
from pydantic import Field
from scipy.ndimage import gaussian_filter

from ..challenge.checking import Model
from ..challenge.source import Source
from ..images import PatchFile
from ..images.splits import read_split, training_patches
from .cases import CasesToSegment

log = logging.getLogger(__name__)


class ThresholdSettings(Model):
    """Values to choose from."""

    sigmas: tuple[float, ...] = Field(min_length=1, description="widths of the smoothing, voxels")
    percentiles: tuple[float, ...] = Field(min_length=1, description="of the smoothed image")
    min_voxels: tuple[int, ...] = Field(min_length=1, description="of components that are kept")


@dataclass(frozen=True)
class ThresholdChoice:
    """A choice of the baseline's three numbers."""

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
    patches: Sequence[tuple[np.ndarray, np.ndarray]], choices: ThresholdSettings
) -> ThresholdChoice:
    """The setting with the best mean Dice over (image, truth); the first among equals."""
    best, best_dice = None, -1.0
    for sigma in choices.sigmas:
        brightness = [(smoothed(image, sigma), truth) for image, truth in patches]
        for percentile, smallest in itertools.product(choices.percentiles, choices.min_voxels):
            setting = ThresholdChoice(sigma, percentile, smallest)
            mean = np.mean([dice(setting.cut(bright), truth) for bright, truth in brightness])
            if mean > best_dice:
                best, best_dice = setting, float(mean)
    log.info("chosen on %d training patches: %s, mean Dice %.3f", len(patches), best, best_dice)
    return best


def segment_cases(
    sources: Sequence[Source], to_segment: CasesToSegment, choices: ThresholdSettings
) -> None:
    """Choose a setting on all training patches of the sources, then segment every case with it."""
    setting = choose_setting(list(_training_images(sources)), choices)
    to_segment.segment(setting.segment)


def _training_images(sources: Sequence[Source]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for source in sources:
        with PatchFile(source.patches) as file:
            for patch in training_patches(read_split(source.split), fold=0, seed=0):
                yield file.image(patch, source.channel), file.mask(patch)


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """2|P∩G| / (|P|+|G|) of two masks of 0 and 1; 1 where both are empty."""
    total = int(prediction.sum()) + int(truth.sum())
    return 1.0 if total == 0 else 2.0 * int((prediction & truth).sum()) / total
