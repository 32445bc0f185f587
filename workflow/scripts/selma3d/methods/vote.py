"""Votes: several methods' predictions of the same cases as one, by majority or by their mean."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..images import PredictionFile, PredictionWriter
from ..system.errors import InputError

WAYS = ("majority", "mean")


def vote(
    members: Sequence[Path],
    predictions: Path,
    *,
    combine: str,
    method: str,
    structure: str,
    run: str,
) -> None:
    """Combine prediction files, one case in memory at a time.

    `majority`: a voxel is foreground where more than half of the masks have it; of two members that
    is where both do. `mean`: where the mean of the probabilities is at least 0.5, a member without
    probabilities giving its mask as 0 and 1; the mean is stored as the ensemble's probability.
    Raises InputError for another rule, fewer than two members, or members that differ in cases or
    shapes.
    """
    if combine not in WAYS:
        raise InputError(
            f"method {method}: combine: expected one of {', '.join(WAYS)}, found {combine!r}"
        )
    if len(members) < 2:
        raise InputError(
            f"method {method}: members: expected at least two for {structure}, found {len(members)}"
        )
    with (
        ExitStack() as stack,
        PredictionWriter(predictions, method, structure, run) as writer,
    ):
        files = [stack.enter_context(PredictionFile(path)) for path in members]
        for file in files:
            if file.ids != files[0].ids:
                raise InputError(
                    f"{file.path}: expected the cases of {files[0].path}, found "
                    f"{sorted(set(file.ids) ^ set(files[0].ids))[:3]} in one of them only"
                )
        for case in files[0].ids:
            mean = _mean(files, case, with_probability=combine == "mean")
            mask = mean >= 0.5 if combine == "mean" else mean > 0.5
            writer.add(case, mask, mean if combine == "mean" else None)


def _mean(files: Sequence[PredictionFile], case: str, *, with_probability: bool) -> np.ndarray:
    """The mean over members, float32 (Z,Y,X)."""
    total = files[0].mask(case).astype(np.float32) * 0
    for file in files:
        probability = file.probability(case) if with_probability else None
        member = file.mask(case) if probability is None else probability
        if member.shape != total.shape:
            raise InputError(
                f"{file.path}: case {case!r}: expected shape {total.shape} as in {files[0].path}, "
                f"found {member.shape}"
            )
        total += member
    return total / len(files)
