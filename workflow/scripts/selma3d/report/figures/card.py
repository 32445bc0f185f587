"""A method at a glance: a median case of each structure, and what it got right and wrong there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.patches import Patch

from ...images import PatchFile, PredictionFile
from ...system.errors import InputError
from .. import display
from . import style, views
from .choice import choose, scores_of

ROW_MM = 36.0
NAMES = ("true positive", "false positive", "false negative")


@dataclass(frozen=True)
class Work:
    """A structure's test cases, the channel that is seen, and an entrant's predictions of them."""

    structure: str
    cases_h5: Path
    channel: int
    predictions: Path


def draw_card(
    works: Sequence[Work],
    entrant: tuple[str, str],
    case_scores: pd.DataFrame,
    outputs: Mapping[str, str | Path],
    *,
    titles: Mapping[str, str],
) -> None:
    """A row a structure: the image, the errors in an XY slice, and their projection along z.

    case_scores: the ranking's table `cases`. The case is the entrant's own median one in the
    structure's first metric. Raises InputError for a case without a truth.
    """
    with style.drawing(), ExitStack() as stack:
        rows = []
        for work in works:
            scores = scores_of(work.structure, case_scores, [entrant])
            if not scores.empty:
                cases = stack.enter_context(PatchFile(work.cases_h5))
                masks = stack.enter_context(PredictionFile(work.predictions))
                rows.append(_row(work, cases, masks, scores, titles))
        if not rows:
            figure = style.statement("No case of it has been scored.")
        else:
            figure = style.sheet("column", ROW_MM * len(rows))
            grid = figure.subplots(len(rows), 3, squeeze=False)
            for line, (label, pictures) in zip(grid, rows, strict=True):
                for axes, picture in zip(line, pictures, strict=True):
                    axes.imshow(picture)
                    axes.set_xticks([])
                    axes.set_yticks([])
                    axes.spines[:].set_visible(False)
                line[0].set_title(label, loc="left")
            shown = zip(views.COLOURS, NAMES, strict=False)
            style.key(figure, [Patch(facecolor=colour, label=name) for colour, name in shown])
        style.mark(figure, partial=None, note=None)
        style.save(figure, outputs, f"card: {entrant[0]}")


def _row(
    work: Work,
    cases: PatchFile,
    masks: PredictionFile,
    scores: pd.DataFrame,
    titles: Mapping[str, str],
) -> tuple[str, list[np.ndarray]]:
    pick = next(pick for pick in choose(scores) if "median" in pick.why)
    truth = cases.mask(pick.case)
    if truth is None:
        raise InputError(f"{cases.path}: {pick.case}: expected a mask to compare with, found none")
    found = masks.mask(pick.case) if pick.case in masks.ids else np.zeros_like(truth)
    size = cases.voxel_size_um(pick.case) or (1.0, 1.0, 1.0)
    scale = tuple(side / min(size) for side in size)
    values, labels = views.grey(cases.image(pick.case, work.channel)), views.errors(truth, found)
    plane = views.fullest_planes(truth)[0]
    metric = scores["metric"].iloc[0]
    score = f"{display.metric_name(metric, arrow=False)} {display.number(pick.mean, metric)}"
    label = f"{display.structure(titles, work.structure)}, case {pick.case}: {score}"
    return label, [
        views.brightest(values, scale),
        views.stretch(views.coloured(values[plane], labels[plane]), scale[1:]),
        views.projected(labels, scale),
    ]
