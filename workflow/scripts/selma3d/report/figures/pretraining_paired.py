"""Each specimen's score without (open symbol) and with pretraining (filled), with every training
patch; seeds, folds and cases are averaged within the specimen (cases stand alone where specimens
are unknown). A thin line is a specimen: coloured where pretraining was better, dotted grey where
it was not. Large symbols: means over specimens. An init named scratch-long is a control: no
pretraining, but the compute that pretraining took. Arrows say which direction is better.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...challenge.display import Entrant
from ...ranking.tables import Tables
from .. import labels
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles
from ..ranking_rows import NO_PAIRS, at_every_patch, in_order, known_specimens, metrics_of, of_panel

CATEGORY, PLACE = "Pretraining", 6
TITLE = "Specimens without and with pretraining"
IN_A_PAPER = "Results with and without self-supervised learning"
WORSE = "#8a8a8a"


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Paired with-against-without plot of `gains_by_specimen`."""
    pairs = at_every_patch(tables, "gains_by_specimen")
    if pairs.empty:
        return canvas.statement(NO_PAIRS, "page")
    entrants = in_order(tables, pairs)
    row_labels = facets.row_labels(styles, entrants)
    lanes_mm = 4.5 + 0.55 * min(pairs["specimen"].nunique(), 20)
    figure, panels = facets.grid(
        metrics_of(pairs), row_labels, facets.row_height_mm(row_labels, lanes_mm)
    )
    keys = ["method", "init", "structure", "metric", "specimen"]
    each = pairs.groupby(keys, sort=False)[["scratch", "pretrained"]].mean().dropna().reset_index()
    for (structure, metric), axes in panels.items():
        chosen = of_panel(each, structure, metric)
        for row, entrant in enumerate(entrants):
            own = chosen[(chosen["method"] == entrant[0]) & (chosen["init"] == entrant[1])]
            _draw_pairs(axes, row, own, metric, entrant, styles)
        facets.scale_values(axes, metric, chosen[["scratch", "pretrained"]].to_numpy())
    specimens = known_specimens(tables)
    for structure, axes in facets.first_panels(panels).items():
        extent = facets.number_of(specimens[structure])
        axes.set_title(facets.band_title(styles, structure, extent))
    grey = {"color": canvas.NEUTRAL, "linewidth": 0.8}
    dot = {"color": canvas.NEUTRAL, "marker": "o", "linestyle": ""}
    handles = [
        canvas.sign("from scratch", markerfacecolor="white", **dot),
        canvas.sign("pretrained (or control)", **dot),
        canvas.sign("specimen that improves", **grey),
        canvas.sign("specimen that does not", linestyle=":", **grey),
    ]
    canvas.key(figure, handles)
    return figure


def _draw_pairs(
    axes: Axes, row: int, pairs: pd.DataFrame, metric: str, entrant: Entrant, styles: EntrantStyles
) -> None:
    """A lane a specimen, and the means below them."""
    if pairs.empty:
        return
    own_style, colour = styles[entrant], styles[entrant].colour
    lanes = np.linspace(-0.38, 0.18, len(pairs)) if len(pairs) > 1 else [-0.15]
    pairs = pairs.sort_values("specimen").assign(at=row + np.asarray(lanes))
    sign = labels.improvement(metric, 1.0)
    better = sign * (pairs["pretrained"] - pairs["scratch"]) > 0
    for chosen, line in ((better, {"color": colour}), (~better, {"color": WORSE, "ls": ":"})):
        own = pairs[chosen]
        axes.hlines(own["at"], own["scratch"], own["pretrained"], linewidth=0.7, **line)
    dot = {"s": 4, "edgecolor": colour, "linewidth": 0.5, "zorder": 3}
    axes.scatter(pairs["scratch"], pairs["at"], facecolor="white", **dot)
    axes.scatter(pairs["pretrained"], pairs["at"], facecolor=colour, **dot)
    ends, at = pairs[["scratch", "pretrained"]].mean(), row + 0.36
    axes.plot(ends, [at] * 2, color=colour, linewidth=1.6)
    axes.scatter(ends.iloc[0], at, s=14, zorder=4, **styles[entrant[0], "scratch"].dots)
    axes.scatter(ends.iloc[1], at, s=14, zorder=4, **own_style.dots)
