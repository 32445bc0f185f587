"""Choose a classical method's numbers on training patches, then segment the test cases."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...challenge.run import Run
from ...images import PatchFile, PredictionWriter
from ..peers.learning import Source, examples
from ..threshold import dice
from .ridges import Ridges
from .spots import Spots

log = logging.getLogger(__name__)

KINDS = {"spot-like": Spots, "vessel-like": Ridges}


class Setting(Protocol):
    """A filter, how its response is cut into a mask, and what is done to the mask at the end."""

    filter: Any

    def response(self, image: np.ndarray) -> np.ndarray: ...
    def cut(self, response: np.ndarray) -> np.ndarray: ...
    def finish(self, mask: np.ndarray) -> np.ndarray: ...


def settings_of(kind: str, grid: Mapping[str, Sequence]) -> list[Setting]:
    """Every combination of a grid's values for `spot-like` or `vessel-like` structures."""
    values = [
        [tuple(value) if isinstance(value, list) else value for value in choices]
        for choices in grid.values()
    ]
    return [
        KINDS[kind](**dict(zip(grid, chosen, strict=True))) for chosen in itertools.product(*values)
    ]


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


def segment_cases(
    sources: Sequence[Source],
    kind: str,
    grid: Mapping[str, Sequence],
    cases_h5: Path,
    channel: int,
    predictions: Path,
    *,
    method: str,
    structure: str,
) -> None:
    """Choose on all training patches of the sources, then segment every case of a structure."""
    training = (
        (example.image, example.mask)
        for example in examples(sources, Run())
        if example.role == "train"
    )
    setting = choose(settings_of(kind, grid), training)
    with (
        PatchFile(cases_h5) as cases,
        PredictionWriter(predictions, method, structure, "default") as writer,
    ):
        for case in cases.ids:
            mask = setting.cut(setting.response(cases.image(case, channel)))
            writer.add(case, setting.finish(mask))
