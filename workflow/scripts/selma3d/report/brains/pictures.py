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
from matplotlib.ticker import NullFormatter

from ...images import InstanceFile, VolumeFile
from ..cases.views import grey as shaded
from ..cases.views import round_length
from ..drawing import canvas
from .numbers import number

CROP = 320  # voxels along an axis of what the planes show
BLOCK = 256
LONGEST_PX = 1200  # of a projection
THIN = 300  # planes, through which the brightest voxel is projected; the mean through more
HIGHEST_MM, GAP_MM, TITLE_MM = 85.0, 2.0, 5.0
FLAT = 0.8  # height over width below which a plane is turned
TINT = (1.0, 0.45, 0.0)
OUTLINES = ("#F0E442", "#56B4E9", "#FF7F50", "#7CFC9A", "#E58BCB", "#9FA8FF")
AXES = "ZYX"


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
    """A box around the place where most objects are: CROP voxels wide at most, a cube in space."""
    lateral = max(n * s for n, s in zip(scene.shape[1:], scene.spacing[1:], strict=True))
    side = min(CROP * min(scene.spacing[1:]), lateral)
    lengths = [max(1, round(side / spacing)) for spacing in scene.spacing]
    centre = np.asarray(scene.shape) / 2
    places = scene.objects[["z", "y", "x"]].to_numpy()
    if len(places):
        _, of_object, count = np.unique(
            places // (np.asarray(lengths) / 2), axis=0, return_inverse=True, return_counts=True
        )
        centre = places[of_object.ravel() == count.argmax()].mean(axis=0)
    box = []
    for middle, size, length in zip(centre, scene.shape, lengths, strict=True):
        start = int(np.clip(middle - length / 2, 0, max(0, size - length)))
        box.append(slice(start, min(start + length, size)))
    return tuple(box)


def draw_planes(scene: Scene) -> Figure:
    """Three planes through the fullest box: the image above, its objects outlined below."""
    box = fullest_box(scene)
    image = shaded(scene.volume.read(scene.channel, box))
    labels = scene.instances.labels[box]
    at = [_fullest_plane(labels, axis) for axis in range(3)]
    views = [View.of(scene, axis, labels.shape) for axis in range(3)]
    figure, rows = _grid(views)
    for axis in range(3):
        cut = tuple(at[a] if a == axis else slice(None) for a in range(3))
        for row in rows:
            views[axis].show(row[axis], image[cut], scene.unit)
        views[axis].outline(rows[1][axis], labels[cut])
        place = box[axis].start + at[axis]
        rows[0][axis].set_title(f"{views[axis].name} at {AXES[axis].lower()} = {place}")
    return figure


def draw_projections(scene: Scene) -> Figure:
    """Projections of the whole volume along its axes; below, tinted where objects are."""
    grey, thickness = _projected(scene)
    views = [View.of(scene, axis, scene.shape) for axis in range(3)]
    figure, rows = _grid(views)
    for column in range(3):
        values = shaded(grey[column])
        views[column].show(rows[0][column], values, scene.unit)
        share = thickness[column] / max(1.0, np.percentile(thickness[column], 99.5))
        tint = np.sqrt(np.clip(share, 0, 1))[..., None] * 0.9
        picture = 0.75 * values[..., None] * (1 - tint) + tint * np.asarray(TINT)
        views[column].show(rows[1][column], picture, scene.unit)
        rows[0][column].set_title(views[column].name)
    return figure


def draw_distributions(scene: Scene) -> Figure:
    """How large the objects are, and at which depth they lie."""
    figure = canvas.sheet("page", 52)
    sizes, depths = figure.subplots(1, 2)
    known = scene.unit == "µm"
    volume = scene.objects["volume_um3" if known else "voxels"].to_numpy(float)
    if len(volume):
        # A decade at least, so that objects of one size are a bar that can be seen.
        spare = math.sqrt(max(1.0, 10.0 * volume.min() / volume.max()))
        low, high = volume.min() / spare, volume.max() * spare
        edges = np.geomspace(low, high, 40)
        sizes.hist(volume, bins=edges, color="#00507f")
        sizes.set_xscale("log")
        sizes.set_xlim(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)))
        sizes.axvline(np.median(volume), color=canvas.INK, linestyle="--")
        sizes.xaxis.set_major_formatter(lambda value, _: number(value))
        sizes.xaxis.set_minor_formatter(NullFormatter())
        sizes.set_title(f"Volume of objects (median {number(np.median(volume))})")
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


@dataclass(frozen=True)
class View:
    """A plane as it is drawn: its height and width in the scene's unit.

    name: its axes, to the right and down. turned: z to the right, where it is much the shorter.
    """

    name: str
    height: float
    width: float
    turned: bool

    @classmethod
    def of(cls, scene: Scene, axis: int, shape: Sequence[int]) -> View:
        """What is seen along `axis` of a box (Z,Y,X)."""
        down, along = _across(axis)
        height, width = shape[down] * scene.spacing[down], shape[along] * scene.spacing[along]
        turned = down == 0 and height < FLAT * width
        name = AXES[along] + AXES[down]
        return cls(name[::-1], width, height, True) if turned else cls(name, height, width, False)

    def show(self, axes: Axes, picture: np.ndarray, unit: str) -> None:
        """Draw the plane in its true proportions, with a scale bar."""
        axes.imshow(
            picture.swapaxes(0, 1) if self.turned else picture,
            cmap="gray",
            vmin=0,
            vmax=1,
            extent=(0, self.width, self.height, 0),
            interpolation="nearest",
            aspect="auto",
        )
        axes.set_axis_off()
        bar = round_length(self.width / 3)
        right, low = self.width * 0.96, self.height * 0.97
        stroke = [withStroke(linewidth=2.5, foreground="black")]
        axes.plot([right - bar, right], [low, low], color="white", lw=1.5, path_effects=stroke)
        axes.text(
            right,
            low - self.height * 0.02,
            f"{bar:g} {unit}",
            color="white",
            ha="right",
            va="bottom",
            path_effects=stroke,
        )
        axes.set_xlim(0, self.width)
        axes.set_ylim(self.height, 0)

    def outline(self, axes: Axes, labels: np.ndarray) -> None:
        """Outline objects, neighbours mostly in different colours."""
        padded = np.pad(labels.T if self.turned else labels, 1)
        y, x = (
            (np.arange(-1, n - 1) + 0.5) * side / (n - 2)
            for n, side in zip(padded.shape, (self.height, self.width), strict=True)
        )
        for place, colour in enumerate(OUTLINES):
            own = (padded > 0) & (padded % len(OUTLINES) == place)
            if own.any():
                axes.contour(x, y, own.astype(float), levels=[0.5], colors=[colour], linewidths=0.8)


def _fullest_plane(labels: np.ndarray, axis: int) -> int:
    """The plane across an axis with most foreground, but for the outer tenths; else the middle."""
    counts = np.count_nonzero(labels, axis=tuple(a for a in range(3) if a != axis))
    outer = len(counts) // 10
    counts = counts[outer : len(counts) - outer]
    return outer + int(counts.argmax()) if counts.any() else labels.shape[axis] // 2


def _grid(views: Sequence[View]) -> tuple[Figure, list[list[Axes]]]:
    """Two rows of panels, all of one height, as wide as what they show."""
    page = canvas.WIDTH_MM["page"]
    ratios = [view.width / view.height for view in views]
    high = min(HIGHEST_MM, (page - 2 * GAP_MM) / sum(ratios))
    total = 2 * high + TITLE_MM + GAP_MM
    figure = canvas.sheet("page", total, layout=None)
    rows: list[list[Axes]] = [[], []]
    for row in range(2):
        left, bottom = 0.0, (1 - row) * (high + GAP_MM)
        for ratio in ratios:
            wide = high * ratio
            rows[row].append(
                figure.add_axes((left / page, bottom / total, wide / page, high / total))
            )
            left += wide + GAP_MM
    return figure, rows


def _across(axis: int) -> tuple[int, int]:
    """The axes along height and width of a plane that is looked at along `axis`."""
    return tuple(a for a in range(3) if a != axis)


def _projected(scene: Scene) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Grey values and voxels of objects along each axis, float32, at most LONGEST_PX long."""
    shape = scene.shape
    planes = [tuple(shape[a] for a in _across(axis)) for axis in range(3)]
    highest = [np.zeros(plane, np.float32) for plane in planes]
    thickness = [np.zeros(plane, np.float32) for plane in planes]
    for corner in product(*(range(0, n, BLOCK) for n in shape)):
        box = tuple(slice(c, min(c + BLOCK, n)) for c, n in zip(corner, shape, strict=True))
        image, labels = scene.volume.read(scene.channel, box), scene.instances.labels[box]
        for axis in range(3):
            place = tuple(box[a] for a in _across(axis))
            if shape[axis] <= THIN:
                np.maximum(highest[axis][place], image.max(axis), out=highest[axis][place])
            else:
                highest[axis][place] += image.sum(axis, dtype=np.float32)
            thickness[axis][place] += np.count_nonzero(labels, axis)
    for axis in range(3):
        if shape[axis] > THIN:
            highest[axis] /= shape[axis]
    return [_smaller(p) for p in highest], [_smaller(p) for p in thickness]


def _smaller(plane: np.ndarray) -> np.ndarray:
    """The brightest of each few pixels, where a plane is longer than LONGEST_PX."""
    factor = -(-max(plane.shape) // LONGEST_PX)
    for axis in range(2) if factor > 1 else ():
        plane = np.maximum.reduceat(plane, np.arange(0, plane.shape[axis], factor), axis=axis)
    return plane
