"""Choice of a classical method's numbers on training patches, and masks of the test cases."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Sequence

import numpy as np

from ...challenge.run import Run
from ...challenge.source import Source
from ..cases import CasesToSegment
from ..peers.examples import examples
from .ridges import Ridges, RidgesGrid
from .spots import Spots, SpotsGrid
from .threshold import Threshold, ThresholdGrid

log = logging.getLogger(__name__)

Grid = SpotsGrid | RidgesGrid | ThresholdGrid
# By how a structure is scored; `threshold` serves both.
GRIDS = {"spot-like": SpotsGrid, "vessel-like": RidgesGrid, "threshold": ThresholdGrid}
# A filter, how its response is cut into a mask, and what is done to the mask at the end.
Setting = Spots | Ridges | Threshold
FILTERS = {SpotsGrid: Spots, RidgesGrid: Ridges, ThresholdGrid: Threshold}


def settings_of(grid: Grid) -> list[Setting]:
    """Every combination of a grid's values, the last number varying fastest."""
    values = (getattr(grid, name) for name in type(grid).model_fields)
    return [FILTERS[type(grid)](*chosen) for chosen in itertools.product(*values)]


def choose(
    settings: Sequence[Setting], patches: Iterable[tuple[np.ndarray, np.ndarray]]
) -> Setting:
    """The setting with the best mean Dice over (image, truth); the first among equals.

    One patch is in memory at a time; each filter runs once a patch.
    """
    totals = np.zeros(len(settings))
    count = 0
    for image, truth in patches:
        count += 1
        for _, alike in itertools.groupby(range(len(settings)), lambda i: settings[i].filter):
            alike = list(alike)
            response = settings[alike[0]].response(image)
            totals[alike] += [dice(settings[i].cut(response), truth) for i in alike]
    best = int(np.argmax(totals))
    log.info(
        "%d settings on %d training patches: %s, mean Dice %.3f",
        *(len(settings), count, settings[best], totals[best] / count),
    )
    return settings[best]


def segment_cases(sources: Sequence[Source], to_segment: CasesToSegment, grid: Grid) -> None:
    """Choose on all training patches of the sources, then segment every case of a structure."""
    training = (
        (example.image, example.mask)
        for example in examples(sources, Run())
        if example.role == "train"
    )
    setting = choose(settings_of(grid), training)
    to_segment.segment(lambda image: setting.finish(setting.cut(setting.response(image))))


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """2|P∩G| / (|P|+|G|) of two masks of 0 and 1; 1 where both are empty."""
    total = int(prediction.sum()) + int(truth.sum())
    return 1.0 if total == 0 else 2.0 * int((prediction & truth).sum()) / total
