"""Drawing one of the figures of a track's ranking from its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure as Drawing

from ...system.errors import InputError
from .. import display
from . import podium, pretraining, ranking_plots, style
from .learning_curves import draw_curves
from .looks import Looks
from .reported import draw_reported
from .scores import draw_scores
from .significance import draw_significance

FUNCTIONS: dict[str, Callable[[Mapping[str, pd.DataFrame], Looks], Drawing]] = {
    "overview": ranking_plots.draw_overview,
    "case-ranks": ranking_plots.draw_case_ranks,
    "podium": podium.draw_podium,
    "scores": draw_scores,
    "pretraining-gains": pretraining.draw_gains,
    "pretraining-paired": pretraining.draw_paired,
    "learning-curves": draw_curves,
    "seen-unseen": pretraining.draw_gap,
    "bootstrap-places": ranking_plots.draw_blobs,
    "significance": draw_significance,
    "ranking-rules": ranking_plots.draw_rules,
    "metric-profiles": ranking_plots.draw_profiles,
    "reported": draw_reported,
}


def draw(
    name: str,
    tables: Mapping[str, pd.DataFrame],
    styles: display.Styles,
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
    if name not in FUNCTIONS:
        raise InputError(f"figure {name!r}: expected one of {', '.join(FUNCTIONS)}")
    with style.drawing():
        figure = FUNCTIONS[name](tables, Looks.of_tables(styles, tables, titles))
        style.mark(figure, partial=partial, note=note)
        style.save(figure, outputs, name)
