"""Scores on structures seen in training (filled squares), on structures never annotated there (open
squares), and on seen ones as another microscope, staining or laboratory shows them (open
triangles); the line between two of them is the gap; n counts cases. Structures are compared within
their type, since the two types have different metrics. Arrows say which direction is better.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from ...challenge.structure import NEVER_SEEN, OTHER_ACQUISITION, SEEN
from ...ranking.tables import Tables
from .. import labels
from ..drawing import canvas, facets
from ..drawing.entrants import EntrantStyles
from ..ranking_rows import in_order, metrics_of

CATEGORY, PLACE = "Pretraining", 8
TITLE = "Seen, unseen and other acquisitions"
IN_A_PAPER = "Generalisation to unseen structures and acquisitions"
MARKERS = {NEVER_SEEN: "s", OTHER_ACQUISITION: "^"}
LABEL_CHARACTERS = 56  # of a side of the gap in a line of the key


def draw(tables: Tables, styles: EntrantStyles) -> Figure:
    """Dumbbells of `gap`: seen structures of one type and others, per metric."""
    gap = tables["gap"].dropna(subset=["seen_mean", "unseen_mean"])
    if gap.empty:
        return canvas.statement(
            "No structure type has both a seen structure and an unseen one, or one of another "
            "acquisition, among the test cases, "
            "so there is no gap to show.",
            "page",
        )
    entrants = in_order(tables, gap)
    row_labels = facets.row_labels(styles, entrants)
    metrics = metrics_of(gap, by="scored_as")
    figure, panels = facets.grid(metrics, row_labels, facets.row_height_mm(row_labels, 4))
    for (scored_as, metric), axes in panels.items():
        chosen = gap[(gap["scored_as"] == scored_as) & (gap["metric"] == metric)]
        for pair in chosen.itertuples():
            own, row = styles[pair.method, pair.init], entrants.index((pair.method, pair.init))
            axes.hlines(row, pair.seen_mean, pair.unseen_mean, color=own.colour, linewidth=1.2)
            symbol = {"s": 14, "edgecolor": own.edge, "linewidth": 0.7, "zorder": 3}
            axes.scatter(pair.seen_mean, row, facecolor=own.colour, marker="s", **symbol)
            marker = MARKERS[pair.side]
            axes.scatter(pair.unseen_mean, row, facecolor="white", marker=marker, **symbol)
        facets.scale_values(axes, metric, chosen[["seen_mean", "unseen_mean"]].to_numpy())
    for scored_as, its_metrics in metrics.items():
        panels[scored_as, its_metrics[0]].set_title(f"{scored_as} structures")
    grey = {"color": canvas.NEUTRAL, "linestyle": ""}
    sides = [SEEN, *(side for side in MARKERS if side in set(gap["side"]))]
    canvas.key(
        figure,
        [
            canvas.sign(
                _named(tables, side, styles),
                marker=MARKERS.get(side, "s"),
                markerfacecolor=canvas.NEUTRAL if side == SEEN else "white",
                **grey,
            )
            for side in sides
        ],
    )
    return figure


def _named(tables: Tables, side: str, styles: EntrantStyles) -> str:
    """One side of the gap: its structures, of types that have both sides, with their cases."""
    title = "seen in training" if side == SEEN else side
    means = tables["by_metric"]
    in_training = [
        styles.display.in_training(name, seen)
        for name, seen in means[["structure", "seen"]].itertuples(index=False)
    ]
    own = means[(pd.Series(in_training, means.index) == side)]
    own = own[own["scored_as"].isin(tables["gap"]["scored_as"])]
    cases = own.groupby("structure", sort=False)["cases"].max()
    names = [f"{styles.structure(name)} (n\u00a0=\u00a0{n:.0f})" for name, n in cases.items()]
    return facets.broken(f"{title}: {labels.listed(names)}", LABEL_CHARACTERS)
