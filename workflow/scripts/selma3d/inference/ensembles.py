"""Ensembles: models that segment together, and maps of where they disagree.

A voxel is foreground where the members' probabilities, each less the threshold that its model was
validated at, are positive on average. Models of different folds were validated on different
patches, so there is no set left on which a threshold of their own could be chosen.

Agreement is that of the members' own masks. Where no truth is known it tells which cases to look
at: what members disagree about is more often wrong (Roy et al., NeuroImage 195, 2019, use the mean
Dice between samples of one model in the same way).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from ..images import Intensity, PatchFile, PredictionWriter
from ..system.atomic import write_table
from ..system.errors import InputError
from .cases import binarise, without_specks
from .model import TrainedModel
from .settings import DEFAULT, WindowSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Agreed:
    """What an ensemble says of one image, all (Z,Y,X).

    mask: uint8. probability: float32, mean of the members'. disagreement: float32, share of the
    pairs of members whose masks differ. members: their own masks, uint8.
    """

    mask: np.ndarray
    probability: np.ndarray
    disagreement: np.ndarray
    members: tuple[np.ndarray, ...]


def predict_cases_together(
    members: Sequence[TrainedModel],
    cases: Path,
    predictions: Path,
    agreement: Path,
    *,
    structure: str,
    method: str,
    run: str,
    settings: WindowSettings = DEFAULT,
) -> None:
    """Segment every case of `cases` (HDF5) with all members, as `predict_cases` does with one.

    Each case also gets its `disagreement`, and a row in the table `agreement`, see
    `agreement_of_case`.
    Raises InputError for fewer than two members, for members that differ in structure or channel,
    and as `predict_cases`.
    """
    channel = common_channel(members, structure)
    rows = []
    with PatchFile(cases) as images, PredictionWriter(predictions, method, structure, run) as out:
        for number, case in enumerate(images.ids, start=1):
            agreed = segment_together(
                members, images.image(case, channel), images.intensity(case, channel), settings
            )
            out.add(
                case,
                agreed.mask,
                agreed.probability if settings.probability else None,
                disagreement=agreed.disagreement,
            )
            row = {"case": case, "specimen": images.specimen(case)}
            rows.append(row | agreement_of_case(agreed))
            log.info("%s: case %d of %d", structure, number, len(images.ids))
    write_table(pd.DataFrame(rows), agreement)


def segment_together(
    members: Sequence[TrainedModel],
    image: np.ndarray,
    intensity: Intensity,
    settings: WindowSettings = DEFAULT,
) -> Agreed:
    """Segment a raw one-channel image (Z,Y,X) with every member, one after the other."""
    margin = np.zeros(image.shape, np.float32)
    total, votes = np.zeros_like(margin), np.zeros(image.shape, np.int64)
    masks = []
    for member in members:
        likelihood = member.probability(image, intensity, settings)
        total += likelihood
        margin += likelihood - member.threshold
        masks.append(binarise(member, likelihood))
        votes += masks[-1]
    smallest = int(np.median([member.min_component_voxels for member in members]))
    pairs = len(members) * (len(members) - 1) / 2
    return Agreed(
        mask=without_specks((margin > 0).astype(np.uint8), smallest),
        probability=total / len(members),
        disagreement=(votes * (len(members) - votes) / pairs).astype(np.float32),
        members=tuple(masks),
    )


def agreement_of_case(agreed: Agreed) -> dict[str, float]:
    """How far the members agree on a case.

    members; foreground: voxels of the ensemble's mask; disputed: voxels that some members call
    foreground, and not all; agreement, lowest_agreement: mean and least Dice between the masks of
    two members, 1 where both are empty.
    """
    between = [_dice(a, b) for a, b in combinations(agreed.members, 2)]
    return {
        "members": len(agreed.members),
        "foreground": int(agreed.mask.sum()),
        "disputed": int(np.count_nonzero(agreed.disagreement)),
        "agreement": float(np.mean(between)),
        "lowest_agreement": float(min(between)),
    }


def common_channel(members: Sequence[TrainedModel], structure: str) -> int:
    """The channel that all members see of a structure. Raises InputError."""
    if len(members) < 2:
        raise InputError(f"ensemble: expected at least two models, found {len(members)}")
    channels = [member.channel(structure) for member in members]
    for member, channel in zip(members, channels, strict=True):
        if channel != channels[0]:
            raise InputError(
                f"{member.path}: structures.{structure}.channel: expected {channels[0]} as in "
                f"{members[0].path}, found {channel} (train all members on the same channel)"
            )
    return channels[0]


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    both = int(a.sum()) + int(b.sum())
    return 2 * np.count_nonzero(a & b) / both if both else 1.0
