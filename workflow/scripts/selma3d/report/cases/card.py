"""The picture of a method: a median case of each structure, and its errors there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.patches import Patch

from ...challenge.display import Display, Entrant
from ...images import PatchFile, PredictionFile
from .. import labels
from ..drawing import canvas
from ..shown import ShownCases
from . import views
from .choice import choose, scale_of, scores_of, truth_of

ROW_MM = 36.0
NAMES = ("true positive", "false positive", "false negative")


def draw_card(
    entrant: Entrant,
    structures: Sequence[ShownCases],
    case_scores: pd.DataFrame,
    display: Display,
    outputs: Mapping[str, str | Path],
) -> None:
    """A row a structure: the image, the errors in an XY slice, and their projection along z.

    structures: those without predictions of the entrant are left out. case_scores: the ranking's
    table `cases`. The case is the entrant's own median one in the structure's first metric.
    Raises InputError for a case without a truth.
    """
    with canvas.drawing(), ExitStack() as stack:
        rows = []
        for shown in structures:
            scores = scores_of(shown.structure, case_scores, [entrant])
            if entrant in shown.predictions and not scores.empty:
                cases = stack.enter_context(PatchFile(shown.cases_h5))
                masks = stack.enter_context(PredictionFile(shown.predictions[entrant]))
                pick = next(pick for pick in choose(scores) if "median" in pick.why)
                metric = scores["metric"].iloc[0]
                score = labels.number(pick.mean, metric)
                label = (
                    f"{display.structure(shown.structure)}, case {pick.case}: "
                    f"{labels.metric_name(metric, arrow=False)} {score}{pick.remark}"
                )
                rows.append((label, _pictures(cases, masks, pick.case, shown.channel)))
        if not rows:
            figure = canvas.statement("No case of it has been scored.")
        else:
            figure = canvas.sheet("column", ROW_MM * len(rows))
            grid = figure.subplots(len(rows), 3, squeeze=False)
            for line, (label, pictures) in zip(grid, rows, strict=True):
                for axes, picture in zip(line, pictures, strict=True):
                    axes.imshow(picture)
                    axes.set_xticks([])
                    axes.set_yticks([])
                    axes.spines[:].set_visible(False)
                line[0].set_title(label, loc="left")
            errors = zip(views.COLOURS, NAMES, strict=False)
            canvas.key(figure, [Patch(facecolor=colour, label=name) for colour, name in errors])
        canvas.mark(figure, Display())
        canvas.save(figure, outputs, f"{display.method(entrant[0])}: what it got right and wrong")


def _pictures(cases: PatchFile, masks: PredictionFile, case: str, channel: int) -> list[np.ndarray]:
    """The image, the errors in its fullest plane, and their projection."""
    truth, scale = truth_of(cases, case), scale_of(cases, case)
    found = masks.mask(case) if case in masks.ids else np.zeros_like(truth)
    values, classes = views.grey(cases.image(case, channel)), views.errors(truth, found)
    plane = views.fullest_planes(truth)[0]
    return [
        views.brightest(values, scale),
        views.stretch(views.coloured(values[plane], classes[plane]), scale[1:]),
        views.projected(classes, scale),
    ]
