"""Stacks of the chosen cases for the viewer on the page: images and masks as strips of planes.

A strip is one WebP image, the planes of a volume one below the other. What is larger than a stack
may be is thinned out, so that a page with many cases stays small. The first screen's picture of a
case is made here too, from the full resolution.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from ...challenge.display import Entrant
from ...images import PatchFile, PredictionFile
from ...ranking.tables import Tables
from ...system.atomic import publish
from .. import labels
from ..data_urls import webp_url
from ..ranking_rows import best_first
from ..shown import ShownCases
from . import views
from .choice import Pick, choose, scores_of, truth_of

LARGEST = (64, 128, 128)  # planes, rows, columns of a stack
TILE_PX = 240  # at least, of a tile of the first screen's picture
QUALITY = 72  # of WebP, for grey values
TILES = ("image", "truth", "found", "difference")


def write_stacks(shown: ShownCases, tables: Tables, path: str | Path) -> None:
    """Write the best, the median and the worst case of a structure as JSON.

    tables: the ranking's `cases`, by whose first metric the cases are chosen, the same as in the
    panel, and `leaderboard`; the tiles show the best entrant that has a prediction. Without a
    scored case the list of cases is empty. Raises InputError for a case without a truth.
    """
    scores = scores_of(shown.structure, tables["cases"], list(shown.predictions))
    with ExitStack() as stack:
        cases = stack.enter_context(PatchFile(shown.cases_h5))
        masks = {
            entrant: stack.enter_context(PredictionFile(file))
            for entrant, file in shown.predictions.items()
        }
        ordered = {one: masks[one] for one in best_first(tables, masks)}
        found = [_packed(cases, pick, ordered, scores, shown.channel) for pick in choose(scores)]
    with publish(path) as temporary:
        temporary.write_text(json.dumps({"structure": shown.structure, "cases": found}))


def _packed(
    cases: PatchFile,
    pick: Pick,
    masks: dict[Entrant, PredictionFile],
    scores: pd.DataFrame,
    channel: int,
) -> dict[str, Any]:
    truth = truth_of(cases, pick.case)
    metric = scores["metric"].iloc[0]
    values = views.grey(cases.image(pick.case, channel), views.fullest_planes(truth))
    steps = steps_of(truth.shape, LARGEST)
    size = cases.voxel_size_um(pick.case)
    found = {
        entrant: file.mask(pick.case) if pick.case in file.ids else None
        for entrant, file in masks.items()
    }
    first = next((entrant for entrant, mask in found.items() if mask is not None), None)
    return {
        "case": pick.case,
        "why": pick.why,
        "remark": pick.remark,
        "specimen": cases.specimen(pick.case) or "",
        "metric": labels.metric_name(metric, arrow=False),
        "mean": labels.number(pick.mean, metric),
        "shape": [-(-n // step) for n, step in zip(truth.shape, steps, strict=True)],
        "steps": list(steps),
        "voxel_um": None if size is None else [s * n for s, n in zip(size, steps, strict=True)],
        "image": webp_url(strip_of(_thinned(values, steps)), quality=QUALITY),
        "truth": _mask_url(truth, steps),
        "masks": [
            {
                "entrant": list(entrant),
                "score": "no prediction"
                if mask is None
                else labels.number(pick.scores.get(entrant, np.nan), metric),
                "strip": None if mask is None else _mask_url(mask, steps),
            }
            for entrant, mask in found.items()
        ],
        "tiles": None if first is None else _tiles(values, truth, found[first], size),
    }


def steps_of(shape: Sequence[int], largest: Sequence[int]) -> tuple[int, int, int]:
    """How many planes, rows and columns become one; as many columns as rows."""
    deep, high, wide = (math.ceil(n / most) for n, most in zip(shape, largest, strict=True))
    return deep, max(high, wide), max(high, wide)


def _thinned(values: np.ndarray, steps: Sequence[int]) -> np.ndarray:
    """Every n-th plane, the mean over blocks of rows and columns, 0 to 255."""
    deep, lateral, _ = steps
    kept = values[::deep]
    pad = [(0, 0), *((0, -n % lateral) for n in kept.shape[1:])]
    kept = np.pad(kept, pad, mode="edge")
    depth, high, wide = kept.shape
    blocks = kept.reshape(depth, high // lateral, lateral, wide // lateral, lateral)
    return np.round(255 * blocks.mean(axis=(2, 4)))


def strip_of(planes: np.ndarray) -> np.ndarray:
    """Planes (Z,Y,X) of whole numbers from 0 to 255, one below the other, as uint8."""
    return planes.reshape(-1, planes.shape[-1]).astype(np.uint8)


def _mask_url(mask: np.ndarray, steps: Sequence[int]) -> str:
    kept = mask[tuple(slice(None, None, step) for step in steps)].astype(bool)
    return webp_url(strip_of(kept.astype(np.uint8) * 255), quality=None)


def _tiles(
    values: np.ndarray,
    truth: np.ndarray,
    found: np.ndarray,
    size: Sequence[float] | None,
) -> dict[str, Any]:
    """Image, truth, prediction and difference in the plane with most truth, and a bar's length."""
    plane = views.fullest_planes(truth)[0]
    times = max(1, round(TILE_PX / max(truth.shape[1:])))
    smooth = Image.fromarray((255 * values[plane]).astype(np.uint8))
    high, wide = (times * n for n in truth.shape[1:])
    grey = np.asarray(smooth.resize((wide, high), Image.Resampling.BICUBIC)) / np.float32(255)
    true, own, classes = (
        np.kron(mask[plane], np.ones((times, times), np.uint8))
        for mask in (
            truth.astype(bool) * views.TRUTH,
            found.astype(bool) * views.FALSE_POSITIVE,
            views.errors(truth, found),
        )
    )
    pixel = size[2] / times if size else 1 / times
    length = views.round_length(wide * pixel / 3)
    pictures = [
        _with_bar(views.coloured(grey, None), length / pixel),
        views.coloured(grey, true.astype(np.uint8)),
        views.coloured(grey, own.astype(np.uint8)),
        views.coloured(grey, classes),
    ]
    return {
        "bar": f"{length:g} µm" if size else labels.count(int(length), "voxel"),
        "sides": [wide, high],
        "plane": plane,
        **{
            name: webp_url((255 * picture).astype(np.uint8), quality=QUALITY)
            for name, picture in zip(TILES, pictures, strict=True)
        },
    }


def _with_bar(picture: np.ndarray, length_px: float) -> np.ndarray:
    high, wide, _ = picture.shape
    thick, left, low = max(2, high // 80), wide // 16, high - high // 14
    right = left + max(1, round(length_px))
    picture[low - 1 : low + thick + 1, left - 1 : right + 1] = 0
    picture[low : low + thick, left:right] = 1
    return picture
