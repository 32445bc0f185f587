"""What pretraining gained: with against without, and on seen against unseen structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import display
from . import facets, style
from .looks import Entrant, Looks

WORSE = "#8a8a8a"
NO_PAIRS = (
    "No method was run both from scratch and pretrained with every training patch, "
    "so there is no gain to show."
)


def draw_paired(tables: Mapping[str, pd.DataFrame], looks: Looks) -> Figure:
    """Paired with-against-without plot of `gains_by_specimen`."""
    pairs = _at_every_patch(tables, "gains_by_specimen")
    if pairs.empty:
        return style.statement(NO_PAIRS, "page")
    entrants = facets.in_order(tables, pairs)
    labels = facets.row_labels(looks, entrants)
    lanes_mm = 3 + 0.55 * min(pairs["specimen"].nunique(), 20)
    figure, panels = facets.grid(
        facets.metrics_of(pairs), labels, facets.row_height_mm(labels, lanes_mm)
    )
    keys = ["method", "init", "structure", "metric", "specimen"]
    each = pairs.groupby(keys, sort=False)[["scratch", "pretrained"]].mean().dropna().reset_index()
    for (structure, metric), axes in panels.items():
        chosen = facets.of(each, structure, metric)
        for row, entrant in enumerate(entrants):
            own = chosen[(chosen["method"] == entrant[0]) & (chosen["init"] == entrant[1])]
            _draw_pairs(axes, row, own, metric, entrant, looks)
        facets.scale_values(axes, metric, chosen[["scratch", "pretrained"]].to_numpy())
    facets.title_bands(panels, looks, _known_specimens(tables))
    grey = {"color": "#5a5a5a", "linewidth": 0.8}
    handles = [
        Line2D(
            [],
            [],
            marker="o",
            markerfacecolor="white",
            linestyle="",
            color="#5a5a5a",
            label="from scratch",
        ),
        Line2D([], [], marker="o", linestyle="", color="#5a5a5a", label="pretrained (or control)"),
        Line2D([], [], label="specimen that improves", **grey),
        Line2D([], [], label="specimen that does not", linestyle=":", **grey),
    ]
    style.key(figure, handles)
    return figure


def draw_gains(tables: Mapping[str, pd.DataFrame], looks: Looks) -> Figure:
    """Forest plot of `gains`, with the specimens of `gains_by_specimen`."""
    gains = _at_every_patch(tables, "gains").dropna(subset="gain")
    if gains.empty:
        return style.statement(NO_PAIRS, "page")
    dots = _at_every_patch(tables, "gains_by_specimen")
    entrants = facets.in_order(tables, gains)
    labels = facets.row_labels(looks, entrants)
    figure, panels = facets.grid(
        facets.metrics_of(gains), labels, facets.row_height_mm(labels, 5.4)
    )
    for (structure, metric), axes in panels.items():
        axes.axvline(0, color=style.INK, linewidth=0.8, zorder=1)
        chosen = facets.of(gains, structure, metric)
        each = facets.of(dots, structure, metric)
        for gain in chosen.itertuples():
            own = each[(each["method"] == gain.method) & (each["init"] == gain.init)]
            row = entrants.index((gain.method, gain.init))
            _draw_gain(axes, row, gain, own, looks)
        shown = np.concatenate([*chosen[["gain", "low", "high"]].to_numpy(), each["gain"]])
        _scale_gains(axes, metric, shown[np.isfinite(shown)])
    facets.title_bands(panels, looks, _known_specimens(tables))
    return figure


def draw_gap(tables: Mapping[str, pd.DataFrame], looks: Looks) -> Figure:
    """Dumbbells of `gap`: seen and unseen structures of one type, per metric."""
    gap = tables.get("gap", pd.DataFrame())
    gap = gap.dropna(subset=["seen_mean", "unseen_mean"]) if len(gap) else gap
    if gap.empty:
        return style.statement(
            "No structure type has both a seen and an unseen structure among the test cases, "
            "so there is no gap to show.",
            "page",
        )
    entrants = facets.in_order(tables, gap)
    labels = facets.row_labels(looks, entrants)
    metrics = facets.metrics_of(gap, by="scored_as")
    figure, panels = facets.grid(metrics, labels, facets.row_height_mm(labels, 4))
    for (scored_as, metric), axes in panels.items():
        chosen = gap[(gap["scored_as"] == scored_as) & (gap["metric"] == metric)]
        for pair in chosen.itertuples():
            look, row = looks[pair.method, pair.init], entrants.index((pair.method, pair.init))
            axes.hlines(row, pair.seen_mean, pair.unseen_mean, color=look.colour, linewidth=1.2)
            square = {"s": 14, "marker": "s", "edgecolor": look.edge, "linewidth": 0.7, "zorder": 3}
            axes.scatter(pair.seen_mean, row, facecolor=look.colour, **square)
            axes.scatter(pair.unseen_mean, row, facecolor="white", **square)
        facets.scale_values(axes, metric, chosen[["seen_mean", "unseen_mean"]].to_numpy())
    for scored_as, its_metrics in metrics.items():
        panels[scored_as, its_metrics[0]].set_title(f"{scored_as} structures")
    grey = {"color": "#5a5a5a", "marker": "s", "linestyle": ""}
    handles = [
        Line2D([], [], label="seen in training", **grey),
        Line2D([], [], label="unseen", markerfacecolor="white", **grey),
    ]
    style.key(figure, handles)
    return figure


def certainty(p_holm: float, specimens: int) -> str:
    """Stars of an adjusted p-value; without a test, the number of specimens (0: unknown)."""
    if pd.isna(p_holm):
        return f"n = {specimens or '?'}"
    levels = (("***", 0.001), ("**", 0.01), ("*", 0.05))
    return next((stars for stars, level in levels if p_holm < level), "ns")


def _at_every_patch(tables: Mapping[str, pd.DataFrame], name: str) -> pd.DataFrame:
    table = tables.get(name)
    if table is None:
        return pd.DataFrame(columns=["method", "init", "structure", "metric", "specimen", "gain"])
    return table[table["budget"].astype(str) == "all"]


def _known_specimens(tables: Mapping[str, pd.DataFrame]) -> pd.Series:
    """Per structure; zero where specimens are unknown."""
    return _at_every_patch(tables, "gains").groupby("structure")["specimens"].max()


def _draw_pairs(
    axes: Axes, row: int, pairs: pd.DataFrame, metric: str, entrant: Entrant, looks: Looks
) -> None:
    """A lane a specimen, and the means below them."""
    if pairs.empty:
        return
    look, colour = looks[entrant], looks[entrant].colour
    lanes = np.linspace(-0.38, 0.18, len(pairs)) if len(pairs) > 1 else [-0.15]
    pairs = pairs.sort_values("specimen").assign(at=row + np.asarray(lanes))
    sign = display.improvement(metric, 1.0)
    better = sign * (pairs["pretrained"] - pairs["scratch"]) > 0
    for chosen, line in ((better, {"color": colour}), (~better, {"color": WORSE, "ls": ":"})):
        own = pairs[chosen]
        axes.hlines(own["at"], own["scratch"], own["pretrained"], linewidth=0.7, **line)
    dot = {"s": 4, "edgecolor": colour, "linewidth": 0.5, "zorder": 3}
    axes.scatter(pairs["scratch"], pairs["at"], facecolor="white", **dot)
    axes.scatter(pairs["pretrained"], pairs["at"], facecolor=colour, **dot)
    ends, at = pairs[["scratch", "pretrained"]].mean(), row + 0.36
    axes.plot(ends, [at] * 2, color=colour, linewidth=1.6)
    axes.scatter(ends.iloc[0], at, s=14, zorder=4, **looks[entrant[0], "scratch"].dots)
    axes.scatter(ends.iloc[1], at, s=14, zorder=4, **look.dots)


def _draw_gain(axes: Axes, row: int, gain, dots: pd.DataFrame, looks: Looks) -> None:
    look = looks[gain.method, gain.init]
    specimens: Sequence[str] = sorted(dots["specimen"].unique())
    heights = np.linspace(-0.28, 0.28, len(specimens)) if len(specimens) > 1 else [0.0]
    lanes = dots["specimen"].map(dict(zip(specimens, heights, strict=True)))
    axes.scatter(dots["gain"], row + lanes, s=3.5, color=look.colour, alpha=0.6, linewidth=0)
    if pd.notna(gain.low) and pd.notna(gain.high):
        axes.hlines(row, gain.low, gain.high, color=style.INK, linewidth=1.2, zorder=3)
    axes.scatter(gain.gain, row, s=14, zorder=4, **look.dots)
    text = certainty(gain.p_holm, gain.specimens)
    beside = axes.get_yaxis_transform()
    axes.text(1.01, row, text, va="center", color=style.FAINT, transform=beside)


def _scale_gains(axes: Axes, metric: str, gains: np.ndarray) -> None:
    """Keep zero in sight and turn the axis so that better lies to the right."""
    low, high = min(gains.min(), 0.0), max(gains.max(), 0.0)
    margin = 0.08 * (high - low) or 0.01
    limits = (low - margin, high + margin)
    axes.set_xlim(limits if display.is_higher_better(metric) else limits[::-1])
    axes.xaxis.set_major_locator(facets.few_ticks(3))
    name = facets.broken(f"gain in {display.metric_name(metric, arrow=False)}", 23)
    axes.set_xlabel(f"{name}\nbetter →")
