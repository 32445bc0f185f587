"""Pictures of a segmented brain: planes through its fullest part, projections, distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ...images import InstanceFile, VolumeFile
from ..drawing import canvas

CROP = 320  # voxels along an axis of what the planes show
BLOCK = 256
LONGEST_PX = 1200  # of a projection
THIN = 300  # planes, through which the brightest voxel is projected; the mean through more
DARK, BRIGHT = 1.0, 99.9  # percentiles
GAMMA = 0.6  # lifts dim tissue; labelled cells are often the brightest thousandth
TINT = (1.0, 0.45, 0.0)
OUTLINES = ("#F0E442", "#56B4E9", "#FF7F50", "#7CFC9A", "#E58BCB", "#9FA8FF")
AXES = "ZYX"
VIEWS = ((0, "XY"), (1, "XZ"), (2, "YZ"))  # the axis that is looked along, and the plane seen


@dataclass(frozen=True)
class Scene:
    """A volume, one channel of it, and its objects.

    spacing: of voxels (z,y,x) in `unit`, µm or voxels.
    """

    volume: VolumeFile
    channel: int
    instances: InstanceFile
    objects: pd.DataFrame

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.volume.shape

    @property
    def spacing(self) -> tuple[float, float, float]:
        return self.volume.voxel_size_um or (1.0, 1.0, 1.0)

    @property
    def unit(self) -> str:
        return "voxels" if self.volume.voxel_size_um is None else "µm"


def fullest_box(scene: Scene) -> tuple[slice, slice, slice]:
    """The box of up to CROP voxels an axis around the place where most objects are."""
    centre = np.asarray(scene.shape) / 2
    places = scene.objects[["z", "y", "x"]].to_numpy()
    if len(places):
        _, of_object, count = np.unique(
            places // (CROP // 2), axis=0, return_inverse=True, return_counts=True
        )
        centre = places[of_object.ravel() == count.argmax()].mean(axis=0)
    box = []
    for middle, size in zip(centre, scene.shape, strict=True):
        start = int(np.clip(middle - CROP / 2, 0, max(0, size - CROP)))
        box.append(slice(start, min(start + CROP, size)))
    return tuple(box)


def draw_planes(scene: Scene) -> Figure:
    """Three planes through the fullest box: the image above, its objects outlined below."""
    box = fullest_box(scene)
    image = shaded(scene.volume.read(scene.channel, box))
    labels = scene.instances.labels[box]
    at = [_fullest_plane(labels, axis) for axis in range(3)]
    sides = [_sides(scene, axis, labels.shape) for axis, _ in VIEWS]
    figure, rows = _grid(sides)
    for column, (axis, plane) in enumerate(VIEWS):
        cut = tuple(at[a] if a == axis else slice(None) for a in range(3))
        for row in rows:
            _show(row[column], image[cut], sides[column], scene.unit)
        place = _place(scene, axis, box[axis].start + at[axis])
        rows[0][column].set_title(f"{plane}, {place}")
        _outline(rows[1][column], labels[cut], sides[column])
    return figure


def draw_projections(scene: Scene) -> Figure:
    """Projections of the whole volume along its axes; below, tinted where objects are."""
    grey, thickness = _projected(scene)
    sides = [_sides(scene, axis, scene.shape) for axis, _ in VIEWS]
    figure, rows = _grid(sides)
    for column, (axis, plane) in enumerate(VIEWS):
        how = "brightest voxel" if scene.shape[axis] <= THIN else "mean"
        values = shaded(grey[column])
        _show(rows[0][column], values, sides[column], scene.unit)
        share = thickness[column] / max(1.0, np.percentile(thickness[column], 99.5))
        tint = np.sqrt(np.clip(share, 0, 1))[..., None] * 0.9
        picture = 0.75 * values[..., None] * (1 - tint) + tint * np.asarray(TINT)
        _show(rows[1][column], picture, sides[column], scene.unit)
        rows[0][column].set_title(f"{plane}, {how} along {AXES[axis]}")
    return figure


def draw_distributions(scene: Scene) -> Figure:
    """How large the objects are, and at which depth they lie."""
    figure = canvas.sheet("page", 52)
    sizes, depths = figure.subplots(1, 2)
    known = scene.unit == "µm"
    volume = scene.objects["volume_um3" if known else "voxels"].to_numpy(float)
    if len(volume):
        low, high = volume.min(), volume.max()
        edges = np.geomspace(low, max(high, low * 1.01), 40)
        sizes.hist(volume, bins=edges, color="#00507f")
        sizes.set_xscale("log")
        sizes.axvline(np.median(volume), color=canvas.INK, linestyle="--")
        sizes.set_title(f"Volume of objects (median {np.median(volume):.3g})")
    sizes.set_xlabel("volume, µm³" if known else "volume, voxels")
    sizes.set_ylabel("objects")
    thick = scene.shape[0] * scene.spacing[0]
    edges = np.linspace(0, thick, min(40, scene.shape[0]) + 1)
    depths.hist((scene.objects["z"] + 0.5) * scene.spacing[0], bins=edges, color="#00507f")
    depths.set_xlim(0, thick)
    depths.set_title("Objects along z")
    depths.set_xlabel(f"z, {scene.unit}")
    depths.set_ylabel("objects")
    return figure


def shaded(values: np.ndarray) -> np.ndarray:
    """Grey values in [0,1]: percentile DARK black, BRIGHT white, dim ones lifted."""
    low, high = np.percentile(values, [DARK, BRIGHT])
    scaled = np.clip((values.astype(np.float32) - low) / max(high - low, 1e-9), 0, 1)
    return scaled**GAMMA


def scale_bar(width: float) -> float:
    """A round length, 1, 2 or 5 times a power of ten, of a sixth to a third of a width."""
    power = 10 ** math.floor(math.log10(width / 3))
    return max(step * power for step in (1, 2, 5) if step * power <= width / 3)


def _fullest_plane(labels: np.ndarray, axis: int) -> int:
    """The plane across an axis with most foreground; the middle one if there is none."""
    counts = np.count_nonzero(labels, axis=tuple(a for a in range(3) if a != axis))
    return int(counts.argmax()) if counts.any() else labels.shape[axis] // 2


def _place(scene: Scene, axis: int, at: int) -> str:
    name = AXES[axis].lower()
    um = f" ({at * scene.spacing[axis]:.4g} µm)" if scene.unit == "µm" else ""
    return f"{name} = {at}{um}"


def _grid(sides: Sequence[tuple[float, float]]) -> tuple[Figure, list[list[Axes]]]:
    """Two rows of panels of these heights and widths, all on one scale."""
    gap_mm, title_mm = 2.0, 5.0
    mm = (canvas.WIDTH_MM["page"] - 2 * gap_mm) / sum(width for _, width in sides)
    highest_mm = max(height for height, _ in sides) * mm
    mm *= min(1.0, 110 / highest_mm)
    high = max(height for height, _ in sides) * mm
    total = 2 * high + title_mm + gap_mm
    figure = canvas.sheet("page", total, layout=None)
    rows: list[list[Axes]] = [[], []]
    for row in range(2):
        left = 0.0
        top = total - title_mm - row * (high + gap_mm)
        for height, width in sides:
            box = (
                left / canvas.WIDTH_MM["page"],
                (top - height * mm) / total,
                width * mm / canvas.WIDTH_MM["page"],
                height * mm / total,
            )
            rows[row].append(figure.add_axes(box))
            left += width * mm + gap_mm
    return figure, rows


def _across(axis: int) -> tuple[int, int]:
    """The axes along the rows' height and width of a plane that is looked at along `axis`."""
    return tuple(a for a in range(3) if a != axis)


def _sides(scene: Scene, axis: int, shape: Sequence[int]) -> tuple[float, float]:
    """Height and width, in the scene's unit, of what is seen along `axis` of a box (Z,Y,X)."""
    down, along = _across(axis)
    return shape[down] * scene.spacing[down], shape[along] * scene.spacing[along]


def _show(axes: Axes, picture: np.ndarray, sides: tuple[float, float], unit: str) -> None:
    """Draw a plane in its true proportions, with a scale bar."""
    height, width = sides
    axes.imshow(
        picture,
        cmap="gray",
        vmin=0,
        vmax=1,
        extent=(0, width, height, 0),
        interpolation="nearest",
        aspect="auto",
    )
    axes.set_axis_off()
    bar = scale_bar(width)
    right, low = width * 0.97, height * 0.95
    stroke = [withStroke(linewidth=2.5, foreground="black")]
    axes.plot([right - bar, right], [low, low], color="white", lw=1.5, path_effects=stroke)
    axes.text(
        right - bar / 2,
        low - height * 0.015,
        f"{bar:g} {unit}",
        color="white",
        ha="center",
        va="bottom",
        path_effects=stroke,
    )
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)


def _outline(axes: Axes, labels: np.ndarray, sides: tuple[float, float]) -> None:
    """Outline objects, neighbours mostly in different colours."""
    padded = np.pad(labels, 1)
    y, x = (
        (np.arange(-1, n + 1) + 0.5) * side / n for n, side in zip(labels.shape, sides, strict=True)
    )
    for number, colour in enumerate(OUTLINES):
        own = (padded > 0) & (padded % len(OUTLINES) == number)
        if own.any():
            axes.contour(x, y, own.astype(float), levels=[0.5], colors=[colour], linewidths=0.7)


def _projected(scene: Scene) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Grey values and voxels of objects along each axis, float32, at most LONGEST_PX long."""
    shape = scene.shape
    planes = [tuple(shape[a] for a in _across(axis)) for axis, _ in VIEWS]
    highest = [np.zeros(plane, np.float32) for plane in planes]
    thickness = [np.zeros(plane, np.float32) for plane in planes]
    for corner in product(*(range(0, n, BLOCK) for n in shape)):
        box = tuple(slice(c, min(c + BLOCK, n)) for c, n in zip(corner, shape, strict=True))
        image, labels = scene.volume.read(scene.channel, box), scene.instances.labels[box]
        for axis, _ in VIEWS:
            place = tuple(box[a] for a in _across(axis))
            if shape[axis] <= THIN:
                np.maximum(highest[axis][place], image.max(axis), out=highest[axis][place])
            else:
                highest[axis][place] += image.sum(axis, dtype=np.float32)
            thickness[axis][place] += np.count_nonzero(labels, axis)
    for axis, _ in VIEWS:
        if shape[axis] > THIN:
            highest[axis] /= shape[axis]
    return [_smaller(p) for p in highest], [_smaller(p) for p in thickness]


def _smaller(plane: np.ndarray) -> np.ndarray:
    """The brightest of each few pixels, where a plane is longer than LONGEST_PX."""
    factor = -(-max(plane.shape) // LONGEST_PX)
    for axis in range(2) if factor > 1 else ():
        plane = np.maximum.reduceat(plane, np.arange(0, plane.shape[axis], factor), axis=axis)
    return plane
