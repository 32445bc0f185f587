"""Gain of pretraining (score with minus score without, in units of the metric) with every training
patch. Small dots: specimens (cases where specimens are unknown), one dot a seed, those of one
specimen at one height; large symbols: means, with 95 % bootstrap intervals. Axes are turned so
that right of the line is better. Stars: paired two-sided Wilcoxon signed-rank test on specimens,
Holm-adjusted, * p < 0.05, ** p < 0.01, *** p < 0.001, ns otherwise. With fewer than six
specimens there is neither test nor interval, and the number of specimens is printed instead ("?"
where it is unknown).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...ranking.tables import Tables
from .. import labels
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles
from ..selection import NO_PAIRS, at_every_patch, in_order, known_specimens, metrics_of, of_panel

CATEGORY, PLACE = "Pretraining", 5
IN_A_PAPER = "Effect of pretraining, with intervals and tests"


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Forest plot of `gains`, with the specimens of `gains_by_specimen`."""
    gains = at_every_patch(tables, "gains").dropna(subset="gain")
    if gains.empty:
        return canvas.statement(NO_PAIRS, "page")
    dots = at_every_patch(tables, "gains_by_specimen")
    entrants = in_order(tables, gains)
    row_labels = facets.row_labels(styles, entrants)
    figure, panels = facets.grid(
        metrics_of(gains), row_labels, facets.row_height_mm(row_labels, 5.4)
    )
    for (structure, metric), axes in panels.items():
        axes.axvline(0, color=canvas.INK, linewidth=0.8, zorder=1)
        chosen = of_panel(gains, structure, metric)
        each = of_panel(dots, structure, metric)
        for gain in chosen.itertuples():
            own = each[(each["method"] == gain.method) & (each["init"] == gain.init)]
            row = entrants.index((gain.method, gain.init))
            _draw_gain(axes, row, gain, own, styles)
        shown = np.concatenate([*chosen[["gain", "low", "high"]].to_numpy(), each["gain"]])
        _scale_gains(axes, metric, shown[np.isfinite(shown)])
    facets.title_bands(panels, styles, known_specimens(tables))
    return figure


def certainty(p_holm: float, specimens: int) -> str:
    """Stars of an adjusted p-value; without a test, the number of specimens (0: unknown)."""
    if pd.isna(p_holm):
        return f"n = {specimens or '?'}"
    levels = (("***", 0.001), ("**", 0.01), ("*", 0.05))
    return next((stars for stars, level in levels if p_holm < level), "ns")


def _draw_gain(axes: Axes, row: int, gain, dots: pd.DataFrame, styles: EntrantStyles) -> None:
    own_style = styles[gain.method, gain.init]
    specimens: Sequence[str] = sorted(dots["specimen"].unique())
    heights = np.linspace(-0.28, 0.28, len(specimens)) if len(specimens) > 1 else [0.0]
    lanes = dots["specimen"].map(dict(zip(specimens, heights, strict=True)))
    axes.scatter(dots["gain"], row + lanes, s=3.5, color=own_style.colour, alpha=0.6, linewidth=0)
    if pd.notna(gain.low) and pd.notna(gain.high):
        axes.hlines(row, gain.low, gain.high, color=canvas.INK, linewidth=1.2, zorder=3)
    axes.scatter(gain.gain, row, s=14, zorder=4, **own_style.dots)
    text = certainty(gain.p_holm, gain.specimens)
    beside = axes.get_yaxis_transform()
    axes.text(1.01, row, text, va="center", color=canvas.FAINT, transform=beside)


def _scale_gains(axes: Axes, metric: str, gains: np.ndarray) -> None:
    """Keep zero in sight and turn the axis so that better lies to the right."""
    low, high = min(gains.min(), 0.0), max(gains.max(), 0.0)
    margin = 0.08 * (high - low) or 0.01
    limits = (low - margin, high + margin)
    axes.set_xlim(limits if labels.is_higher_better(metric) else limits[::-1])
    axes.xaxis.set_major_locator(facets.few_ticks(3))
    name = facets.broken(f"gain in {labels.metric_name(metric, arrow=False)}", 23)
    axes.set_xlabel(f"{name}\nbetter →")
