"""Exhibits of a manuscript: figures with their own captions, sentences for empty ones, tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ...challenge.display import Display
from ..drawing.canvas import sentence_of
from ..page_contents import ShownFigure, ShownTable
from ..table_formats import escape_latex

TRACKS = {"per-type": "one model for each structure type", "one-model": "one model for all"}


def figure_pages(figures: Sequence[ShownFigure], display: Display, folder: Path) -> str:
    """The figures in the order of the report; `folder` is the manuscript's.

    They stand at the size that they were drawn for. Where a figure would be empty, the sentence
    that its file holds stands in the text.
    """
    several = len({figure.track for figure in figures if figure.track}) > 1
    pieces = []
    for figure in figures:
        of = f" ({TRACKS.get(figure.track, figure.track)})" if several and figure.track else ""
        pieces.append(_figure(figure, f"{figure.title}{of}", display, folder))
    return "\n".join([*pieces, r"\clearpage", ""])


def table_pages(tables: Sequence[ShownTable], folder: Path) -> str:
    """The tables, each from its own file, which is named where it has no room on a page."""
    lines = []
    for table in tables:
        for path in table.paths:
            if path.suffix == ".tex":
                name = os.path.relpath(path, folder)
                lines += [
                    rf"\renewcommand{{\tablefile}}{{\detokenize{{{name}}}}}",
                    rf"\input{{{name}}}",
                ]
    return "\n".join([*lines, r"\clearpage", ""])


def _figure(figure: ShownFigure, title: str, display: Display, folder: Path) -> str:
    if sentence := sentence_of(figure.path):
        return rf"\paragraph{{{escape_latex(title)}.}} {escape_latex(sentence)}"
    caption = escape_latex(f"{title}. {figure.caption}{_remark(display)}")
    path = os.path.relpath(figure.path.with_suffix(".pdf"), folder)
    label = f"fig:{figure.track or 'all'}:{figure.name}"
    return "\n".join(
        [
            r"\begin{figure}[!htbp]",
            rf"\centering\atsize{{{path}}}",
            rf"\caption{{{caption}}}\label{{{label}}}",
            r"\end{figure}",
        ]
    )


def _remark(display: Display) -> str:
    partial = " Partial: results are missing." if display.partial else ""
    return f"{f' ({display.note})' if display.note else ''}{partial}"
