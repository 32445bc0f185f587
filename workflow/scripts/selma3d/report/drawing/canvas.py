"""The style of all figures: sizes, type, colours, and files that are the same at every drawing."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

from ...challenge.display import Display
from ...system.atomic import publish

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of each glyph of each PDF

MM = 1 / 25.4  # inches
WIDTH_MM = {"column": 89.0, "page": 183.0}
FONT_PT = 7.0
TITLE_PT = 8.0
LINE_MM = 2.9  # height of a line of 7 pt text
KEY_GAP_MM = 1.2  # between a drawing and its key

INK = "#222222"
FAINT = "#6b6b6b"  # grey text; 5.3 : 1 on white
RULE = "#d9d9d9"
MARGIN_BAND = "#ececec"  # gains that are too small to matter
NEUTRAL = "#5a5a5a"  # symbols in a key that stand for no entrant
# A voxel of a prediction against the truth. Told apart in all common colour deficiencies.
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = "#F0E442", "#D0402B", "#56B4E9"
# Methods without a colour of their own (foreign results) and training histories. The first seven
# are those of Okabe and Ito, 2008; the rest differ from them in lightness.
SPARE_COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
    *("#7A5195", "#8C6D31", "#003F5C", "#B0B0B0", "#A50026"),
)

SETTINGS: dict[str, Any] = {
    "text.parse_math": False,  # a method's title is text, whatever is in it
    "font.family": "DejaVu Sans",  # travels with matplotlib: the same layout on every machine
    "font.size": FONT_PT,
    "axes.titlesize": FONT_PT,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": FONT_PT,
    "xtick.labelsize": FONT_PT,
    "ytick.labelsize": FONT_PT,
    "legend.fontsize": FONT_PT,
    "legend.title_fontsize": FONT_PT,
    "figure.titlesize": TITLE_PT,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.0,
    "lines.markersize": 4.0,
    "patch.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "savefig.dpi": 300,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "svg.fonttype": "none",
    "svg.hashsalt": "selma3d",
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
}
# What would differ between two drawings of the same table.
UNDATED: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {},
}
# What each form calls the sentence that stands in for an empty figure.
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
DESCRIPTION = {"svg": "Description", "pdf": "Subject", "png": "Description"}


def ink_on(ground: ColorType) -> str:
    """Black or white, whichever reads better on `ground` (relative luminance of WCAG 2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(ground)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if luminance < 0.179 else "black"


@contextmanager
def drawing() -> Iterator[None]:
    """Draw and save in the project's style, whatever the user's own matplotlib settings say."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def sheet(width: str | float, height_mm: float, layout: str | None = "constrained") -> Figure:
    """An empty figure, one ("column") or two columns ("page") of a journal or some mm wide."""
    width_mm = WIDTH_MM[width] if isinstance(width, str) else width
    return Figure(figsize=(width_mm * MM, height_mm * MM), layout=layout)


def statement(text: str, width: str = "column") -> Figure:
    """A figure that says why there is nothing to draw; its files say so in their metadata."""
    figure = sheet(width, 24)
    figure.set_label(text)
    wrapped = textwrap.fill(text, 58 if width == "column" else 120)
    figure.text(0.5, 0.5, wrapped, ha="center", va="center", color=FAINT)
    return figure


def sentence_of(svg: str | Path) -> str:
    """The sentence that stands in for an empty figure, from its SVG file; "" where it is drawn."""
    found = ElementTree.parse(svg).find(f".//{DUBLIN_CORE}description")
    return "" if found is None else found.text or ""


def sign(label: str, **look: Any) -> Line2D:
    """A line or symbol with what it stands for, for a key; look: keywords of `Axes.plot`."""
    return Line2D([], [], label=label, **look)


def key(figure: Figure, handles: Sequence[Artist], columns: int = 4) -> None:
    """Explain the symbols below the drawing, in as many columns as fit; the figure grows by it."""
    for ncols in range(min(columns, len(handles)), 0, -1):
        legend = figure.legend(handles=handles, loc="lower center", ncols=ncols)
        if _extent_mm(figure, legend)[0] <= figure.get_figwidth() / MM:
            return
        if ncols > 1:
            legend.remove()


def mark(figure: Figure, display: Display) -> None:
    """Say above the drawing what is missing and below it what a reader must know.

    The figure grows by these lines, and by its key, so that the drawing keeps its size.
    """
    width_mm, drawn_mm = figure.get_figwidth() / MM, figure.get_figheight() / MM
    characters = int(width_mm / 1.42)
    above = textwrap.wrap(_missing(display.partial), characters) if display.partial else []
    below = textwrap.wrap(display.note, characters) if display.note else []
    top_mm = len(above) * LINE_MM + 3 if above else 0
    note_mm = len(below) * LINE_MM + 1.5 if below else 0
    key_mm = sum(_extent_mm(figure, legend)[1] + KEY_GAP_MM for legend in figure.legends)
    height_mm = drawn_mm + top_mm + note_mm + key_mm
    figure.set_figheight(height_mm * MM)
    low, share = (note_mm + key_mm) / height_mm, drawn_mm / height_mm
    for text in figure.texts:  # placed in shares of the drawing's own height
        text.set_y(low + text.get_position()[1] * share)
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.set(rect=(0, low, 1, share))
    for axes in figure.axes if layout is None else []:
        left, bottom, width, height = axes.get_position(original=True).bounds
        axes.set_position((left, low + bottom * share, width, height * share))
    for legend in figure.legends:
        place = (0, note_mm / height_mm, 1, (key_mm - KEY_GAP_MM) / height_mm)
        legend.set_bbox_to_anchor(place, transform=figure.transFigure)
    if above:
        figure.text(
            1.5 / width_mm,
            1 - 1.5 / height_mm,
            "\n".join(above),
            va="top",
            color="#8c1d18",
            weight="bold",
            linespacing=1.15,
            bbox={"facecolor": "#fbe9e7", "edgecolor": "#8c1d18", "linewidth": 0.6, "pad": 2},
        )
    if below:
        figure.text(
            1 / width_mm,
            1 / height_mm,
            "\n".join(below),
            va="bottom",
            color=FAINT,
            style="italic",
            linespacing=1.15,
        )


def _extent_mm(figure: Figure, legend: Legend) -> tuple[float, float]:
    """Width and height of a legend."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    extent = legend.get_tightbbox(renderer)
    return extent.width / figure.dpi / MM, extent.height / figure.dpi / MM


def save(figure: Figure, outputs: Mapping[str, str | Path], title: str) -> None:
    """Write a figure in each form asked for (svg, pdf, png), the same bytes at every drawing."""
    for form, path in outputs.items():
        with publish(path) as temporary:
            metadata = UNDATED[form] | {"Title": title}
            if said := figure.get_label():
                metadata[DESCRIPTION[form]] = said
            figure.savefig(temporary, format=form, metadata=metadata)


def _missing(parts: Sequence[str], shown: int = 4) -> str:
    more = f" and {len(parts) - shown} more" if len(parts) > shown else ""
    return f"PARTIAL: {len(parts)} missing: {'; '.join(parts[:shown])}{more}"
