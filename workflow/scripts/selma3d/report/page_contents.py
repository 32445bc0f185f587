"""Figures and tables on the page of the report: files, captions, headings and order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..challenge.display import Display
from .catalogue import caption_of
from .figures import FIGURES
from .tables import TABLES

HERE = Path(__file__).parent
PANEL = "panel-"  # begins the names of panels, a structure each
STACKS = "viewer-"  # begins the names of the viewer's stacks, a structure each
TRAINING = "training"  # the folder of training histories, beside those of the tracks
TRAININGS = {"pretraining": "Training of encoders", "finetuning": "Fine-tuning of models"}
OVERVIEW = (
    "Annotated patches, six at most: planes and projections with the mask outlined, and grey "
    "values in it (orange) and in all. Below, of all patches: the share of foreground, and sizes "
    "of components."
)
FORMS = ("tsv", "tex", "md")


@dataclass(frozen=True)
class ShownFigure:
    """A figure's file (svg or png), what is said under it, and the heading that it stands under.

    title: in words. track: empty where it is of no track. in_a_paper: what papers call such a
    figure.
    """

    name: str
    title: str
    track: str
    path: Path
    caption: str
    category: str
    in_a_paper: str = ""
    place: float = 0.0


@dataclass(frozen=True)
class ShownTable:
    """A table of a track in each of its forms; in_a_paper: what papers call such a table."""

    name: str
    track: str
    in_a_paper: str
    paths: tuple[Path, ...]


def shown_figures(paths: Iterable[str | Path], display: Display) -> list[ShownFigure]:
    """The figures in some files, in the order of the report: rankings', panels, trainings'."""
    paths = [Path(path) for path in paths]
    tracks = list(dict.fromkeys(path.parent.name for path in paths))
    kinds = [_ranking_figure, _panel, _training_figure]
    found = [(_kind(path), path) for path in paths]
    figures = [(kind, kinds[kind](path, display)) for kind, path in found]
    ordered = sorted(
        figures, key=lambda one: (one[0], tracks.index(one[1].path.parent.name), one[1].place)
    )
    return [figure for _, figure in ordered]


def _kind(path: Path) -> int:
    if path.parent.name == TRAINING:
        return 2
    return 1 if path.stem.startswith(PANEL) else 0


def _ranking_figure(path: Path, _: Display) -> ShownFigure:
    module = FIGURES[path.stem]
    return ShownFigure(
        path.stem,
        module.TITLE,
        path.parent.name,
        path,
        FIGURES.caption(path.stem),
        module.CATEGORY,
        module.IN_A_PAPER,
        module.PLACE,
    )


def _panel(path: Path, display: Display) -> ShownFigure:
    title = panel_title(path.stem.removeprefix(PANEL), display)
    caption = caption_of(HERE / "cases" / "panels.py")
    return ShownFigure(path.stem, title, path.parent.name, path, caption, "Images")


def panel_title(structure: str, display: Display) -> str:
    """The title of a structure's panel."""
    return f"{display.structure(structure)} in images"


def _training_figure(path: Path, _: Display) -> ShownFigure:
    title, caption = TRAININGS[path.stem], caption_of(HERE / "histories.py")
    return ShownFigure(path.stem, title, "", path, caption, "Training")


def shown_overview(path: str | Path, display: Display) -> ShownFigure:
    """The overview of a structure's annotated patches."""
    path = Path(path)
    structure = display.structure(path.stem.removesuffix("-patches"))
    return ShownFigure(path.stem, f"{structure}, annotated", "", path, OVERVIEW, "Data")


def shown_tables(paths: Iterable[str | Path]) -> list[ShownTable]:
    """The tables in some TSV files, in the order of the report."""
    paths = [Path(path) for path in paths]
    tracks = list(dict.fromkeys(path.parent.name for path in paths))
    ordered = sorted(paths, key=lambda p: (tracks.index(p.parent.name), TABLES.place(p.stem)))
    return [
        ShownTable(
            path.stem,
            path.parent.name,
            TABLES[path.stem].IN_A_PAPER,
            tuple(path.with_suffix(f".{form}") for form in FORMS),
        )
        for path in ordered
    ]
