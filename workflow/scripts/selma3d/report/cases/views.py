"""Flat views of volumes: grey values, errors in colour, orthogonal slices, projections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_rgb

from ..drawing import canvas

TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE, TRUTH = 1, 2, 3, 4
# Truth alone is blue, a prediction alone red, both yellow: so are errors, and so is each by itself.
COLOURS = (
    canvas.TRUE_POSITIVE,
    canvas.FALSE_POSITIVE,
    canvas.FALSE_NEGATIVE,
    canvas.FALSE_NEGATIVE,
)
GAP_PX = 2  # between orthogonal slices
DEPTH = 0.6  # of XZ and YZ at most, as a share of the longer side of XY
ZOOM = 3  # of the detail in the corner
SMALLEST_DETAIL_PX = 8
GAMMA = 0.6  # lifts dim tissue; labelled cells are often the brightest thousandth


def errors(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """(Z,Y,X) uint8: 1 true positive, 2 false positive, 3 false negative, 0 background."""
    truth, prediction = truth.astype(bool), prediction.astype(bool)
    classes = np.zeros(truth.shape, np.uint8)
    classes[prediction] = FALSE_POSITIVE
    classes[truth] = FALSE_NEGATIVE
    classes[truth & prediction] = TRUE_POSITIVE
    return classes


def grey(image: np.ndarray, at: Sequence[int] | None = None) -> np.ndarray:
    """(Z,Y,X) floats in [0,1]: the 1st percentile black, the 99.9th white.

    at: planes along z, y and x, whose 1st and 99.5th percentile are black and white instead:
    what is shown of a stack is often dim against its brightest spot.
    """
    shown = image.ravel()
    if at is not None:
        shown = np.concatenate([image.take(n, axis).ravel() for axis, n in enumerate(at)])
    low, high = np.percentile(shown, [1, 99.9 if at is None else 99.5])
    scaled = np.clip((image.astype(np.float32) - low) / max(high - low, 1e-9), 0, 1)
    return scaled**GAMMA


def fullest_planes(truth: np.ndarray) -> tuple[int, int, int]:
    """Index along z, y and x of the plane with most foreground; the middle if there is none."""
    if not truth.any():
        return tuple(size // 2 for size in truth.shape)
    others = ((1, 2), (0, 2), (0, 1))
    return tuple(int(truth.astype(bool).sum(axis=axes).argmax()) for axes in others)


@dataclass(frozen=True)
class Detail:
    """A square of the XY view, `side` pixels wide, that is shown ZOOM times as large."""

    top: int
    left: int
    side: int


def disagreement(masks: Sequence[np.ndarray], truth: np.ndarray) -> np.ndarray:
    """(Y,X): how much entrants differ, from 0 to 1/4; where none do, errors, else the truth.

    masks: of each entrant in the plane (Y,X); truth: in the same plane.
    """
    share = np.mean([mask.astype(bool) for mask in masks], axis=0) if masks else np.zeros(1)
    spread = share * (1 - share)
    if spread.any():
        return spread
    errors_of_all = np.abs(share - truth.astype(bool))
    return errors_of_all if errors_of_all.any() else truth.astype(float)


def detail(
    interest: np.ndarray, shape: Sequence[int], at: Sequence[int], scale: Sequence[float]
) -> Detail | None:
    """The square of the XY view with most `interest` (Y,X) that fills the corner, enlarged.

    shape: of the case (Z,Y,X). None where the corner below YZ is too small to show anything.
    """
    seen = stretch(np.asarray(interest, float), scale[1:])
    deep = _deep(shape, at[0], scale)
    corner = round((deep.stop - deep.start) * scale[0])
    side = min(corner // ZOOM, *seen.shape)
    if side < SMALLEST_DETAIL_PX:
        return None
    summed = np.pad(seen.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    inside = summed[side:, side:] - summed[:-side, side:] - summed[side:, :-side]
    inside = np.round(inside + summed[:-side, :-side], 6)
    top, left = np.unravel_index(inside.argmax(), inside.shape)
    return Detail(int(top), int(left), side)


def _deep(shape: Sequence[int], z: int, scale: Sequence[float]) -> slice:
    """Planes around z that XZ and YZ show."""
    longest = max(n * factor for n, factor in zip(shape[1:], scale[1:], strict=True))
    planes = min(shape[0], max(1, round(DEPTH * longest / scale[0])))
    first = min(max(0, z - planes // 2), shape[0] - planes)
    return slice(first, first + planes)


def orthogonal(
    values: np.ndarray,
    classes: np.ndarray | None,
    at: Sequence[int],
    scale: Sequence[float],
    enlarged: Detail | None = None,
) -> np.ndarray:
    """XY with YZ at its right and XZ below, as RGB floats; classes in colour on dimmed grey.

    values: (Z,Y,X) in [0,1]; classes: (Z,Y,X) or None; at: planes; scale: voxel size (z,y,x), of
    which the smallest is 1; enlarged: shown in the corner. A deep stack is cut around the XY plane,
    to leave XY most of the room.
    """
    z, y, x = at
    deep = _deep(values.shape, z, scale)
    cuts = [np.s_[z], np.s_[deep, y], np.s_[deep, :, x]]
    xy, xz, yz = (coloured(values[cut], None if classes is None else classes[cut]) for cut in cuts)
    xy = stretch(xy, scale[1:])
    xz = stretch(xz, (scale[0], scale[2]))
    yz = stretch(yz.transpose(1, 0, 2), (scale[1], scale[0]))
    height, width = xy.shape[0] + GAP_PX + xz.shape[0], xy.shape[1] + GAP_PX + yz.shape[1]
    sheet = np.ones((height, width, 3), np.float32)
    sheet[: xy.shape[0], : xy.shape[1]] = xy
    sheet[-xz.shape[0] :, : xz.shape[1]] = xz
    sheet[: yz.shape[0], -yz.shape[1] :] = yz
    if enlarged is not None:
        rows, columns = (
            slice(start, start + enlarged.side) for start in (enlarged.top, enlarged.left)
        )
        long = ZOOM * enlarged.side
        sheet[-long:, -long:] = stretch(xy[rows, columns], (ZOOM, ZOOM))
    return sheet


def brightest(values: np.ndarray, scale: Sequence[float]) -> np.ndarray:
    """Maximum projection along z as RGB floats, its dimmest hundredth black."""
    highest = values.max(axis=0)
    floor = np.percentile(highest, 1)
    spread = np.clip((highest - floor) / max(highest.max() - floor, 1e-9), 0, 1)
    return stretch(coloured(spread, None), scale[1:])


def projected(classes: np.ndarray, scale: Sequence[float]) -> np.ndarray:
    """The commonest label along z as RGB floats, brighter where thicker; no colours are mixed."""
    counts = np.stack([(classes == label).sum(axis=0) for label in range(1, len(COLOURS) + 1)])
    total = counts.sum(axis=0)
    brightness = (total > 0) * (0.75 + 0.25 * (1 - np.exp(-total / 6)))
    return stretch(_rgb(COLOURS)[counts.argmax(axis=0)] * brightness[..., None], scale[1:])


def stretch(picture: np.ndarray, factors: Sequence[float]) -> np.ndarray:
    """Repeat rows and columns (nearest), as where pixels are longer than wide."""
    for axis, factor in enumerate(factors):
        length = picture.shape[axis]
        index = (np.arange(round(length * factor)) / factor).astype(int)
        picture = picture.take(np.minimum(index, length - 1), axis=axis)
    return picture


def coloured(values: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
    """A plane of values in [0,1] as RGB floats; classes, if there are any, on dimmed grey."""
    picture = np.repeat(values[..., None].astype(np.float32), 3, axis=-1)
    if classes is None:
        return picture
    picture *= 0.8
    inside = classes > 0
    picture[inside] = 0.15 * picture[inside] + 0.85 * _rgb(COLOURS)[classes[inside] - 1]
    return picture


def round_length(most: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is at most so long, as of a scale bar."""
    decade = 10.0 ** math.floor(math.log10(most))
    return max(times * decade for times in (1, 2, 5) if times * decade <= most)


def _rgb(colours: Sequence[str]) -> np.ndarray:
    return np.array([to_rgb(colour) for colour in colours], np.float32)
