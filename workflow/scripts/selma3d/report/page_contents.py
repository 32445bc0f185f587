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
    figures = [_shown(path, display) for path in paths]
    kinds = {"Images": 1, "Training": 2}
    return sorted(
        figures,
        key=lambda figure: (
            *(kinds.get(figure.category, 0), tracks.index(figure.path.parent.name), figure.place),
        ),
    )


def _shown(path: Path, display: Display) -> ShownFigure:
    name, track = path.stem, path.parent.name
    if track == TRAINING:
        caption = caption_of(HERE / "histories.py")
        return ShownFigure(name, TRAININGS[name], "", path, caption, "Training")
    if name.startswith(PANEL):
        title = panel_title(name.removeprefix(PANEL), display)
        caption = caption_of(HERE / "cases" / "panels.py")
        return ShownFigure(name, title, track, path, caption, "Images")
    module, caption = FIGURES[name], FIGURES.caption(name)
    shown = (name, module.TITLE, track, path, caption, module.CATEGORY)
    return ShownFigure(*shown, module.IN_A_PAPER, module.PLACE)


def panel_title(structure: str, display: Display) -> str:
    """The title of a structure's panel."""
    return f"{display.structure(structure)} in images"


def shown_overview(path: str | Path, display: Display) -> ShownFigure:
    """The overview of a structure's annotated patches."""
    path = Path(path)
    structure = display.structure(path.stem.removesuffix("-patches"))
    return ShownFigure(path.stem, f"{structure}, annotated", "", path, OVERVIEW, "Data")


def shown_tables(paths: Iterable[str | Path]) -> list[ShownTable]:
    """The tables in some TSV files, in the order of the report."""
    paths = [Path(path) for path in paths]
    tracks = list(dict.fromkeys(path.parent.name for path in paths))
    ordered = sorted(
        paths, key=lambda p: (tracks.index(p.parent.name), TABLES[p.stem].PLACE, p.stem)
    )
    return [
        ShownTable(
            path.stem,
            path.parent.name,
            TABLES[path.stem].IN_A_PAPER,
            tuple(path.with_suffix(f".{form}") for form in FORMS),
        )
        for path in ordered
    ]
