"""A figure of a track's ranking as files: drawn, marked with what a reader must know, saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...challenge.display import Display
from ...ranking.tables import Tables
from ..figures import FIGURES
from . import canvas
from .entrants import EntrantStyles


def draw_figure(
    name: str, tables: Tables, display: Display, outputs: Mapping[str, str | Path]
) -> None:
    """Draw one of FIGURES and write it as every form in `outputs` (svg, pdf, png).

    tables: the track's ranking tables by name, and `reported`; pass all of them, so that symbols
    agree between figures. Raises InputError for an unknown figure.
    """
    with canvas.drawing():
        figure = FIGURES[name].draw(tables, EntrantStyles.of_tables(display, tables))
        canvas.mark(figure, display)
        canvas.save(figure, outputs, FIGURES[name].TITLE)
