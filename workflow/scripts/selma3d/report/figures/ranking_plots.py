"""Who won, and how sure that is: places by metric, by case, by bootstrap and by ranking rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .. import display
from ..standings import segmented
from . import facets, style
from .looks import Entrant, Looks
from .scores import ranked_cases


def draw_overview(tables: Mapping[str, pd.DataFrame], looks: Looks) -> Figure:
    """Heat map of ranks with means, an entrant a row and a structure's metric a column."""
    means = tables.get("by_metric", pd.DataFrame())
    if means.empty:
        return style.statement("No entrant has been ranked.", "page")
    entrants = facets.in_order(tables, means)
    metrics = facets.metrics_of(means)
    columns = [(name, metric) for name, its_metrics in metrics.items() for metric in its_metrics]
    index = pd.MultiIndex.from_tuples(entrants)
    means = means.assign(mean=means["mean"].where(segmented(means)))
    wide = means.pivot_table(
        index=["method", "init"], columns=["structure", "metric"], values=["rank", "mean"]
    )
    ranks = wide["rank"].reindex(index=index, columns=columns).to_numpy()
    values = wide["mean"].reindex(index=index, columns=columns).to_numpy()
    labels = _placed_labels(tables, looks, entrants)
    row_mm = facets.row_height_mm(labels, 4.2)
    figure = style.sheet("page" if len(columns) > 3 else "column", len(entrants) * row_mm + 24)
    axes = figure.add_subplot()
    shares = 1 - (ranks - 1) / max(1, len(entrants) - 1)
    texts = [[display.number(v, m) for v, (_, m) in zip(r, columns, strict=True)] for r in values]
    _draw_cells(axes, shares, texts, labels)
    names = [display.metric_name(metric, unit=False) for _, metric in columns]
    axes.set_xticks(range(len(columns)), [facets.broken(name, 11) for name in names])
    _draw_bands(axes, metrics, looks, len(entrants))
    return figure


def draw_case_ranks(tables: Mapping[str, pd.DataFrame], looks: Looks) -> Figure:
    """Heat map of how often each entrant took each rank over cases and metrics."""
    cases = ranked_cases(tables).copy()
    if cases.empty:
        return style.statement("No case has been scored with every training patch.", "page")
    entrants = facets.in_order(tables, cases)
    cases["rank"] = case_ranks(cases)
    counts = cases.groupby(["method", "init"])["rank"].value_counts().unstack(fill_value=0)
    places = range(1, len(entrants) + 1)
    counts = counts.reindex(index=pd.MultiIndex.from_tuples(entrants), columns=places, fill_value=0)
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0).to_numpy()
    labels = _placed_labels(tables, looks, entrants)
    row_mm = facets.row_height_mm(labels, 4.2)
    wide = len(entrants) > 8
    figure = style.sheet("page" if wide else "column", len(entrants) * row_mm + 14)
    axes = figure.add_subplot()
    texts = [[f"{100 * share:.0f}" if share else "" for share in row] for row in shares]
    _draw_cells(axes, shares, texts, labels)
    axes.set_xticks(range(len(entrants)), list(places))
    axes.set_xlabel("rank in a case and metric\n(numbers: % of them)")
    return figure


def case_ranks(cases: pd.DataFrame) -> pd.Series:
    """Rank of each entrant in each case and metric; ties share the lowest rank (1, 2, 2, 4)."""
    upward = cases["metric"].map(display.is_higher_better)
    signed = cases["value"].where(~upward, -cases["value"])
    keys = [cases["structure"], cases["case"], cases["metric"]]
    return signed.groupby(keys).rank(method="min", na_option="bottom")


def draw_blobs(tables: Mapping[str, pd.DataFrame], looks: Looks) -> Figure:
    """Blob plot of bootstrap places."""
    bootstrap = tables.get("bootstrap", pd.DataFrame())
    board = tables.get("leaderboard", pd.DataFrame())
    if bootstrap.empty or board.empty:
        return style.statement(
            "The ranking was not bootstrapped, so nothing is known about its stability."
        )
    entrants = facets.in_order(tables, bootstrap)
    labels = facets.row_labels(looks, entrants)
    row_mm = facets.row_height_mm(labels, 5.2)
    figure = style.sheet("column", len(entrants) * row_mm + 14)
    axes = figure.add_subplot()
    places = bootstrap.dropna(subset="place")
    shares = places.groupby(["method", "init"])["place"].value_counts(normalize=True)
    largest = (0.85 * row_mm * style.MM * 72) ** 2  # points², of a disc that fills its row
    for (method, init, place), share in shares.items():
        look = looks[method, init]
        row = entrants.index((method, init))
        axes.scatter(place, row, s=largest * share, color=look.colour, alpha=0.55, linewidth=0)
    for entry in board.itertuples():
        row = entrants.index((entry.method, entry.init))
        if pd.notna(entry.place_low) and pd.notna(entry.place_high):
            axes.hlines(row, entry.place_low, entry.place_high, color=style.INK, linewidth=1)
        diamond = {"marker": "D", "facecolor": "white", "edgecolor": style.INK, "linewidth": 0.8}
        axes.scatter(entry.place, row, s=9, zorder=4, **diamond)
    axes.set_yticks(range(len(entrants)), labels)
    axes.set_ylim(len(entrants) - 0.4, -0.6)
    axes.set_xlim(0.4, len(entrants) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.grid(axis="both")
    amount = bootstrap["replicate"].nunique()
    given = board["place_low"].notna().any()
    reason = "" if given else "\n(too few known specimens for intervals)"
    axes.set_xlabel(f"place in {amount} bootstrap samples{reason}")
    return figure


def draw_rules(tables: Mapping[str, pd.DataFrame], looks: Looks) -> Figure:
    """Line plot of places under each ranking rule."""
    rules = tables.get("rules", pd.DataFrame())
    if rules.empty:
        return style.statement("No ranking rule has been applied.")
    wide = rules.pivot_table(index=["method", "init"], columns="rule", values="place", sort=False)
    names = {rule: rule.replace("-then-", ",\nthen ") for rule in wide.columns}
    return _draw_places(tables, wide, list(names.values()), looks)


def draw_profiles(tables: Mapping[str, pd.DataFrame], looks: Looks) -> Figure:
    """Line plot of places under the edition's metric profile and under `robust`."""
    places = tables.get("profile_places", pd.DataFrame())
    if places.empty:
        return style.statement("The metric profile in force is the robust one: nothing to compare.")
    wide = places.set_index(["method", "init"])[["place_profile", "place_robust"]]
    return _draw_places(tables, wide, ["edition's\nmetrics", "robust\nmetrics"], looks)


def _placed_labels(
    tables: Mapping[str, pd.DataFrame], looks: Looks, entrants: Sequence[Entrant]
) -> list[str]:
    board = tables.get("leaderboard", pd.DataFrame(columns=["method", "init", "place"]))
    places = board.set_index(["method", "init"])["place"].to_dict()
    labels = facets.row_labels(looks, entrants)
    return [
        f"{label}   {places[entrant]:.0f}" if pd.notna(places.get(entrant)) else f"{label}   –"
        for entrant, label in zip(entrants, labels, strict=True)
    ]


def _draw_cells(
    axes: Axes, shares: np.ndarray, texts: Sequence[Sequence[str]], labels: Sequence[str]
) -> None:
    """Cells tinted by `shares` (0 … 1, NaN left white), each with a text that stays readable."""
    blues = colormaps["Blues"]
    axes.imshow(np.ma.masked_invalid(0.85 * shares), cmap=blues, vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        ground = blues(0.85 * share) if np.isfinite(share) else "white"
        axes.text(
            column, row, texts[row][column], ha="center", va="center", color=style.ink_on(ground)
        )
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(0.5, shares.shape[1] - 1), minor=True)
    axes.set_yticks(np.arange(0.5, shares.shape[0] - 1), minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)


def _draw_bands(axes: Axes, metrics: Mapping[str, Sequence[str]], looks: Looks, rows: int) -> None:
    """Structure titles over their columns, with a line between structures."""
    start = 0
    for structure, its_metrics in metrics.items():
        title = facets.broken(looks.structure(structure), 11 * len(its_metrics))
        axes.text(start - 0.4, -0.7, title, weight="bold", va="bottom")
        if start:
            line = {"color": style.INK, "linewidth": 0.8, "clip_on": False}
            axes.vlines(start - 0.5, -1.2, rows - 0.5, **line)
        start += len(its_metrics)


def _draw_places(
    tables: Mapping[str, pd.DataFrame], wide: pd.DataFrame, names: Sequence[str], looks: Looks
) -> Figure:
    """Lines through an entrant's places; labels stand at the right, one below the other."""
    entrants = facets.in_order(tables, wide.reset_index())
    labels = facets.row_labels(looks, entrants)
    figure = style.sheet("column", len(entrants) * facets.row_height_mm(labels, 4.2) + 16)
    axes = figure.add_subplot()
    columns = np.arange(len(names))
    last = wide.iloc[:, -1]
    order = sorted(entrants, key=lambda e: (last[e], entrants.index(e)))
    for slot, entrant in enumerate(order, start=1):
        look = looks[entrant]
        axes.plot(columns, wide.loc[entrant], **look.curve, linewidth=1.2, zorder=3)
        ends = [columns[-1], columns[-1] + 0.16]
        axes.plot(ends, [last[entrant], slot], color=style.RULE, linewidth=0.6, zorder=1)
        axes.text(columns[-1] + 0.2, slot, facets.row_labels(looks, [entrant])[0], va="center")
    axes.set_xticks(columns, names)
    axes.set_xlim(-0.15, len(names) - 1 + 0.16)
    axes.set_ylim(len(entrants) + 0.5, 0.5)
    axes.yaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_ylabel("place")
    axes.grid(axis="y")
    return figure
