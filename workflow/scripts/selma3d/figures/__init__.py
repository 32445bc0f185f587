"""Figures of the challenge; each is a function of tables, drawn in one style.

FIGURES lists those of a track's ranking: name -> (function, caption, category). `draw` makes one;
`draw_histories` and `draw_panel` make those that show trainings and images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure as Drawing

from .. import wording
from ..errors import InputError
from . import podium, pretraining, ranking_plots, style
from .captions import CAPTIONS
from .histories import draw_histories
from .learning_curves import draw_curves
from .looks import Looks
from .panels import draw_panel
from .reported import draw_reported
from .scores import draw_scores
from .significance import draw_significance


class Figure(NamedTuple):
    """How a figure is drawn from a track's tables, and what is said under it."""

    function: Callable[[Mapping[str, pd.DataFrame], Looks], Drawing]
    caption: str
    category: str


_DRAWN = {
    "Ranking": {
        "overview": ranking_plots.draw_overview,
        "case-ranks": ranking_plots.draw_case_ranks,
        "podium": podium.draw_podium,
    },
    "Scores": {"scores": draw_scores},
    "Pretraining": {
        "pretraining-gains": pretraining.draw_gains,
        "pretraining-paired": pretraining.draw_paired,
        "learning-curves": draw_curves,
        "seen-unseen": pretraining.draw_gap,
    },
    "Stability of the ranking": {
        "bootstrap-places": ranking_plots.draw_blobs,
        "significance": draw_significance,
        "ranking-rules": ranking_plots.draw_rules,
        "metric-profiles": ranking_plots.draw_profiles,
    },
    "Reported and reproduced": {"reported": draw_reported},
}
FIGURES: dict[str, Figure] = {
    name: Figure(function, CAPTIONS[name], category)
    for category, functions in _DRAWN.items()
    for name, function in functions.items()
}


def draw(
    name: str,
    tables: Mapping[str, pd.DataFrame],
    styles: wording.Styles,
    outputs: Mapping[str, str | Path],
    *,
    titles: Mapping[str, str] | None = None,
    partial: list[str] | None = None,
    note: str | None = None,
) -> None:
    """Draw one of FIGURES and write it as every form in `outputs` (svg, pdf, png).

    tables: the track's ranking tables by file stem, and `reported`; pass all of them, so that
    symbols agree between figures. titles: of structures. partial: what is missing, shown above.
    note: shown below. Raises InputError for an unknown figure.
    """
    if name not in FIGURES:
        raise InputError(f"figure {name!r}: expected one of {', '.join(FIGURES)}")
    with style.drawing():
        figure = FIGURES[name].function(tables, Looks.of_tables(styles, tables, titles))
        style.mark(figure, partial=partial, note=note)
        style.save(figure, outputs, name)


__all__ = ["CAPTIONS", "FIGURES", "Figure", "draw", "draw_histories", "draw_panel"]
