"""Exhibits of a manuscript: figures with their own captions, sentences for empty ones, tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from ...challenge.display import Display
from ..drawing.canvas import sentence_of
from ..page_contents import ShownFigure, ShownTable
from ..table_formats import escape_latex

TRACKS = {"per-type": "one model for each structure type", "one-model": "one model for all"}


def figure_pages(figures: Sequence[ShownFigure], display: Display, folder: Path) -> str:
    """The figures under their headings, in the order of the report; `folder` is the manuscript's.

    They stand at the size that they were drawn for. Where a figure would be empty, the sentence
    that its file holds stands in the text.
    """
    pieces = []
    by_heading = groupby(figures, key=lambda figure: (figure.category, figure.track))
    for (category, track), own in by_heading:
        of = f" ({TRACKS.get(track, track)})" if track else ""
        pieces.append(rf"\subsection*{{{escape_latex(category + of)}}}")
        pieces.extend(_figure(figure, display, folder) for figure in own)
        pieces.append(r"\clearpage")
    return "\n".join([*pieces, ""])


def table_pages(tables: Sequence[ShownTable], folder: Path) -> str:
    """The tables, each from its own file."""
    inputs = [
        rf"\input{{{os.path.relpath(path, folder)}}}"
        for table in tables
        for path in table.paths
        if path.suffix == ".tex"
    ]
    return "\n".join([*inputs, r"\clearpage", ""])


def _figure(figure: ShownFigure, display: Display, folder: Path) -> str:
    title = figure.title
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
