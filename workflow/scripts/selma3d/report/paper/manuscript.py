"""A methods-and-results manuscript of a challenge, in three files that LaTeX compiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from ...challenge.display import Display
from ...challenge.edition import Edition
from ...ranking.tables import Tables
from ...system.atomic import publish
from ..page_contents import ShownFigure, ShownTable
from .exhibits import TRACKS, figure_pages, table_pages
from .numbers import macro_name, numbers, written

TEMPLATES = Path(__file__).parent


@dataclass(frozen=True)
class Manuscript:
    """What a manuscript is made of; tracks: ranking tables by name, with `cost`, of each track."""

    edition: Edition
    display: Display
    tracks: Mapping[str, Tables]
    figures: Sequence[ShownFigure]
    tables: Sequence[ShownTable]


def write_manuscript(paths: Mapping[str, str | Path], made_of: Manuscript) -> None:
    """Write `manuscript`, the text; `numbers`, its macros; `figures` and `tables`, its exhibits.

    Figures and tables are included from where they lie, by paths from the manuscript's folder.
    """
    folder = Path(paths["manuscript"]).parent
    texts = {
        "numbers": written(numbers(made_of.edition, made_of.tracks, made_of.display)),
        "figures": figure_pages(made_of.figures, made_of.display, folder),
        "tables": table_pages(made_of.tables, folder),
        "manuscript": _text(made_of),
    }
    for name, text in texts.items():
        with publish(paths[name]) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _text(made_of: Manuscript) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # nothing but names of macros is filled in
    )
    tracks = [
        {
            "prefix": "\\" + macro_name(track),
            "meaning": TRACKS.get(track, track),
            "declared": len(tables["verdicts"]) > 0,
            "bootstrapped": len(tables["bootstrap"]) > 0,
        }
        for track, tables in made_of.tracks.items()
    ]
    return environment.get_template("manuscript.tex.j2").render(
        tracks=tracks,
        ranking=made_of.edition.ranking.rule,
        note=bool(made_of.display.note),
        partial=bool(made_of.display.partial),
    )
