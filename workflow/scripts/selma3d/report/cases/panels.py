"""The best, the median and the worst case of a structure, by the mean over the entrants shown of
the metric printed under their names; entrants in the order of the leaderboard. Upper row of a case:
orthogonal slices through the planes with most true foreground (below: XZ, right: YZ, cut to a part
around the XY plane in deep stacks; in the corner the framed part of XY, three times as large, where
entrants differ most). Middle row: projections along z, the maximum of the image and
the commonest class of the masks. Lower row: rendering of the masks, seen at a slant from above,
with false negatives behind all else. Yellow: true positive; red: false positive; blue: truth, and
false negative.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke

from ...challenge.display import Display, Entrant
from ...images import PatchFile, PredictionFile
from ...ranking.tables import Tables
from .. import labels
from ..drawing import canvas, facets
from ..page_contents import panel_title
from ..ranking_rows import best_first
from ..shown import ShownCases
from . import rendering, views
from .choice import Pick, choose, scale_of, scores_of, truth_of

PER_ROW = 8  # cells side by side
CELL_MM = (19.0, 29.6)  # at least and at most
PAGE_MM = 222.0  # of a journal's page, without the key
HEADER_MM, GAP_MM = 4.5, 0.8
RENDERED_PX = 160
GROUND = "#101010"
CHARACTER_MM = 1.5


Masks = Mapping[Entrant, PredictionFile]


@dataclass(frozen=True)
class Cell:
    """The three pictures of a column: slices, projection, rendering (none of the image)."""

    title: str
    score: str
    slices: np.ndarray
    detail: views.Detail | None  # of the slices
    projection: np.ndarray
    rendered: np.ndarray | None


@dataclass(frozen=True)
class Strip:
    """Up to PER_ROW columns of a case, under its header (empty where the case goes on)."""

    header: str
    case: str
    cells: Sequence[Cell]

    @property
    def slopes(self) -> tuple[float, float, float]:
        """Height over width of slices, projection and rendering."""
        first = self.cells[0]
        height, width, _ = first.slices.shape
        return height / width, first.projection.shape[0] / first.projection.shape[1], 0.8

    def texts_mm(self, cell_mm: float) -> float:
        """Height of header and titles."""
        lines = max(_broken(c.title, cell_mm).count("\n") + bool(c.score) for c in self.cells) + 1
        return lines * canvas.LINE_MM + 1 + (HEADER_MM if self.header else 0)

    def height_mm(self, cell_mm: float) -> float:
        """Height of everything."""
        return self.texts_mm(cell_mm) + cell_mm * sum(self.slopes) + 1


def draw_panel(
    shown: ShownCases,
    tables: Tables,
    display: Display,
    outputs: Mapping[str, str | Path],
) -> None:
    """Draw image, truth and each prediction's errors on three cases of a structure.

    tables: of the ranking: in `cases`, the structure's first metric chooses the cases;
    `leaderboard` gives the order of entrants. Raises InputError if a file is unreadable or a
    chosen case has no truth.
    """
    with canvas.drawing(), ExitStack() as stack:
        cases = stack.enter_context(PatchFile(shown.cases_h5))
        masks = {
            entrant: stack.enter_context(PredictionFile(shown.predictions[entrant]))
            for entrant in best_first(tables, shown.predictions)
        }
        scores = scores_of(shown.structure, tables["cases"], list(shown.predictions))
        if scores.empty:
            figure = canvas.statement(f"No case of {shown.structure} has been scored.", "page")
        else:
            figure = _draw(cases, masks, scores, shown.channel, display)
        canvas.mark(figure, display)
        canvas.save(figure, outputs, panel_title(shown.structure, display))


def _draw(
    cases: PatchFile, masks: Masks, scores: pd.DataFrame, channel: int, display: Display
) -> Figure:
    metric = scores["metric"].iloc[0]
    strips = []
    for pick in choose(scores):
        cells = list(_cells(cases, masks, pick, metric, channel, display))
        header = _header(cases, pick, metric)
        side_by_side = -(-len(cells) // -(-len(cells) // PER_ROW))
        for start in range(0, len(cells), side_by_side):
            some = cells[start : start + side_by_side]
            strips.append(Strip("" if start else header, pick.case, some))
    columns = max(len(strip.cells) for strip in strips)
    cell_mm = _cell_mm(strips, columns)
    top_mm = sum(strip.height_mm(cell_mm) for strip in strips)
    # As wide as its cells: white beside them would make them smaller in print.
    width_mm = max(canvas.WIDTH_MM["column"], columns * cell_mm)
    figure = canvas.sheet(width_mm, top_mm, layout=None)
    for strip in strips:
        _draw_strip(figure, strip, cases, top_mm, cell_mm)
        top_mm -= strip.height_mm(cell_mm)
    names = ("true positive", "false positive", "truth, false negative")
    keys = [
        Patch(facecolor=colour, edgecolor=canvas.INK, label=name)
        for colour, name in zip(views.COLOURS[: len(names)], names, strict=True)
    ]
    canvas.key(figure, keys)
    return figure


def _cell_mm(strips: Sequence[Strip], columns: int) -> float:
    """Width of a cell: what fits the page's width, and its height unless cells became tiny."""
    widest = min(CELL_MM[1], canvas.WIDTH_MM["page"] / columns)
    texts_mm = sum(strip.texts_mm(widest) for strip in strips)
    highest = (PAGE_MM - texts_mm) / sum(sum(strip.slopes) for strip in strips)
    return min(widest, highest) if highest >= CELL_MM[0] else widest


def _draw_strip(
    figure: Figure, strip: Strip, cases: PatchFile, top_mm: float, cell_mm: float
) -> None:
    width_mm, height_mm = figure.get_figwidth() / canvas.MM, figure.get_figheight() / canvas.MM
    shape, scale = cases.shape(strip.case), scale_of(cases, strip.case)
    figure.text(0, (top_mm - 1) / height_mm, strip.header, weight="bold", va="top")
    for column, cell in enumerate(strip.cells):
        left, y = column * cell_mm, top_mm - strip.texts_mm(cell_mm)
        title = f"{_broken(cell.title, cell_mm)}\n{cell.score}".strip()
        figure.text(left / width_mm, (y + 0.8) / height_mm, title, va="bottom", linespacing=1.15)
        panels = []
        for slope in strip.slopes:
            y -= slope * cell_mm
            inside = (cell_mm - GAP_MM, slope * cell_mm - GAP_MM)
            place = (left / width_mm, y / height_mm)
            size = (inside[0] / width_mm, inside[1] / height_mm)
            panels.append(figure.add_axes((*place, *size), anchor="NW"))
        _draw_cell(panels, cell, shape, scale)
        if cell.rendered is None:
            _draw_bars(panels[0], cell, cases, strip.case)


def _broken(title: str, cell_mm: float) -> str:
    return facets.broken(title, int(cell_mm / CHARACTER_MM))


def _header(cases: PatchFile, pick: Pick, metric: str) -> str:
    specimen = cases.specimen(pick.case)
    of = f" (specimen {specimen})" if specimen else ""
    value = labels.number(pick.mean, metric)
    name = labels.metric_name(metric, arrow=False)
    return f"{pick.why.capitalize()} case: {pick.case}{of}, mean {name} {value}{pick.remark}"


def _cells(
    cases: PatchFile, masks: Masks, pick: Pick, metric: str, channel: int, display: Display
) -> Iterator[Cell]:
    truth = truth_of(cases, pick.case)
    scale, at = scale_of(cases, pick.case), views.fullest_planes(truth)
    image = cases.image(pick.case, channel)
    values, in_planes = views.grey(image), views.grey(image, at)
    found = {e: file.mask(pick.case) for e, file in masks.items() if pick.case in file.ids}
    interest = views.disagreement([mask[at[0]] for mask in found.values()], truth[at[0]])
    enlarged = views.detail(interest, truth.shape, at, scale)
    picture = views.orthogonal(in_planes, None, at, scale, enlarged)
    yield Cell("image", "", picture, enlarged, views.brightest(values, scale), None)

    def classified(title: str, score: str, classes: np.ndarray) -> Cell:
        slices = views.orthogonal(in_planes, classes, at, scale, enlarged)
        rendered = rendering.render(
            classes, views.COLOURS, scale, RENDERED_PX, views.FALSE_NEGATIVE
        )
        return Cell(title, score, slices, enlarged, views.projected(classes, scale), rendered)

    yield classified("truth", "", truth.astype(np.uint8) * views.TRUTH)
    for entrant in masks:
        score = "no prediction"
        if entrant in found:
            score = labels.number(pick.scores.get(entrant, np.nan), metric)
        classes = views.errors(truth, found.get(entrant, np.zeros_like(truth)))
        yield classified(display.entrant(*entrant), score, classes)


def _draw_cell(
    rows: Sequence[Axes], cell: Cell, shape: Sequence[int], scale: Sequence[float]
) -> None:
    above, middle, below = rows
    above.imshow(cell.slices)
    if cell.detail is not None:
        _frame(above, cell)
    middle.imshow(cell.projection)
    for axes in rows:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    if cell.rendered is None:
        below.set_axis_off()
        return
    edges = rendering.box_edges(shape, scale, RENDERED_PX)
    below.set_facecolor(GROUND)
    below.add_collection(LineCollection(edges, colors="#6b6b6b", linewidths=0.4, zorder=1))
    below.imshow(cell.rendered, zorder=2)
    ends = np.array(edges).reshape(-1, 2)
    below.set_xlim(ends[:, 0].min() - 3, ends[:, 0].max() + 3)
    below.set_ylim(ends[:, 1].max() + 3, ends[:, 1].min() - 3)


def _frame(axes: Axes, cell: Cell) -> None:
    """Frame the detail in the XY slice and in the corner."""
    side, long = cell.detail.side, views.ZOOM * cell.detail.side
    height, width, _ = cell.slices.shape
    for left, top, edge in (
        (cell.detail.left, cell.detail.top, side),
        (width - long, height - long, long),
    ):
        place = (left - 0.5, top - 0.5)
        frame = {"fill": False, "edgecolor": "white", "linewidth": 0.5}
        outline = [withStroke(linewidth=1.2, foreground="black")]
        axes.add_patch(Rectangle(place, edge, edge, path_effects=outline, **frame))


def _draw_bars(axes: Axes, cell: Cell, cases: PatchFile, case: str) -> None:
    """Scale bars in the image's XY slice and in its detail."""
    size = cases.voxel_size_um(case)
    pixel = min(size) if size else 1.0
    _, high, wide = np.array(cases.shape(case)) * scale_of(cases, case)
    _draw_bar(axes, (0, 0, wide, high), pixel, size is not None, 1 / 3)
    if cell.detail is not None:
        long, (height, width, _) = views.ZOOM * cell.detail.side, cell.slices.shape
        corner = (width - long, height - long, long, long)
        _draw_bar(axes, corner, pixel / views.ZOOM, size is not None, 1 / 2)


def _draw_bar(
    axes: Axes,
    place: tuple[float, float, float, float],
    pixel: float,
    in_um: bool,
    share: float,
) -> None:
    """A bar, up to a share of a place's width (left, top, width, height) long, under its length.

    pixel: its length in micrometres, or in voxels.
    """
    left, top, width, height = place
    length = views.round_length(width * pixel * share)
    left, low = left + 0.05 * width, top + 0.94 * height
    outline = [withStroke(linewidth=3, foreground="black")]
    axes.plot(
        [left, left + length / pixel], [low, low], color="white", lw=1.5, path_effects=outline
    )
    text = f"{length:g} µm" if in_um else labels.count(int(length), "voxel")
    low -= 0.03 * height
    ground = {"facecolor": "black", "alpha": 0.5, "linewidth": 0, "pad": 0.6}
    axes.text(left, low, text, va="bottom", color="white", bbox=ground, fontsize=5)
