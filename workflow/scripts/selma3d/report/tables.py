"""Tables of the challenge, for reading on (TSV) and for printing (LaTeX, Markdown)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..ranking.cost import STAGES
from ..scoring.metrics import METRICS
from ..system.atomic import publish, write_table
from ..system.errors import InputError
from . import display
from .display import Styles
from .standings import SOURCES, segmented, shown_standings, standings
from .table_formats import Shown, latex, markdown

Tables = Mapping[str, pd.DataFrame]
Titles = Mapping[str, str]

NOT_SEGMENTED = "–: no masks or not scored; ranks hold the worst value against missing masks."
INTERVALS = "Brackets: 95 % bootstrap intervals, given from six known specimens on."


class Table(NamedTuple):
    """The ranking table that a printed one is made of, how it is printed, and its caption."""

    source: str
    shown: Callable[[pd.DataFrame, Styles, Titles], Shown]
    caption: str


def write(
    name: str,
    tables: Tables,
    styles: Styles,
    outputs: Mapping[str, str | Path],
    *,
    titles: Titles | None = None,
    partial: list[str] | None = None,
    note: str | None = None,
) -> None:
    """Write one of TABLES in each form of `outputs` (tsv, tex, md).

    The TSV has the source's own columns behind the entrant's title. partial: what is missing and
    note: what a reader must know, both said in the captions of the printed forms.
    Raises InputError for an unknown table, or one whose source is not among `tables`.
    """
    if name not in TABLES:
        raise InputError(f"table {name!r}: expected one of {', '.join(TABLES)}")
    table = TABLES[name]
    if set(SOURCES) <= set(tables):
        tables = {**tables, "standings": standings(*(tables[source] for source in SOURCES))}
    if table.source not in tables:
        raise InputError(f"table {name!r}: expected the table {table.source!r} to make it from")
    source = tables[table.source]
    shown = table.shown(source, styles, titles or {}) if len(source) else _nothing()
    caption = _caption(table.caption, partial, note)
    for form, path in outputs.items():
        if form == "tsv":
            write_table(_titled(source, styles), path)
            continue
        text = latex(shown, caption, name) if form == "tex" else markdown(shown, caption)
        with publish(path) as temporary:
            temporary.write_text(text)


def shown_leaderboard(board: pd.DataFrame, styles: Styles, titles: Titles) -> Shown:
    """Place with its interval, mean ranks, and what was missing."""
    groups = [column for column in board if column.startswith("rank ")]
    rows = []
    for row in board.to_dict("records"):
        place = "–" if pd.isna(row["place"]) else f"{row['place']:.0f}"
        low, high = row["place_low"], row["place_high"]
        interval = "–" if pd.isna(low) or pd.isna(high) else f"{low:.0f} to {high:.0f}"
        rows.append(
            {
                "Entrant": display.entrant(styles, row["method"], row["init"]),
                "Place": place,
                "95 % of places": interval,
                "Mean rank": _decimals(row["mean_rank"], 2),
                **{f"Mean rank, {g.removeprefix('rank ')}": _decimals(row[g], 2) for g in groups},
                "Missing predictions": f"{row['missing']:.0f}",
                "Undefined values": f"{row['nan_prediction']:.0f}",
            }
        )
    return Shown(pd.DataFrame(rows))


def shown_structures(means: pd.DataFrame, styles: Styles, titles: Titles) -> Shown:
    """An entrant on a structure a row, a metric a column: mean ± sd [interval], the best bold."""
    metrics = [metric for metric in METRICS if metric in set(means["metric"])]
    rows, bold = [], []
    groups = means.groupby(["structure", "method", "init"], sort=False)
    for (structure, method, init), group in groups:
        by_metric = group.set_index("metric")
        row = {
            "Structure": display.structure(titles, structure),
            "Entrant": display.entrant(styles, method, init),
        }
        present = [metric in by_metric.index for metric in metrics]
        cells = [
            _mean(by_metric.loc[metric], metric) if there else "–"
            for metric, there in zip(metrics, present, strict=True)
        ]
        names = [display.metric_name(metric) for metric in metrics]
        best = [
            there and by_metric.loc[metric, "rank"] == 1
            for metric, there in zip(metrics, present, strict=True)
        ]
        rows.append(row | dict(zip(names, cells, strict=True)))
        bold.append(dict(zip(names, best, strict=True)))
    return Shown(pd.DataFrame(rows), pd.DataFrame(bold), words=2)


def shown_budgets(curves: pd.DataFrame, styles: Styles, titles: Titles) -> Shown:
    """Structure, metric and entrant a row, a label budget a column: mean [interval]."""
    numbered = curves.assign(budget=curves["budget"].astype(str))
    sizes = sorted(set(numbered["budget"]) - {"all"}, key=int)
    budgets = [*sizes, *({"all"} & set(numbered["budget"]))]
    rows = []
    for (structure, metric, method, init), group in numbered.groupby(
        ["structure", "metric", "method", "init"], sort=False
    ):
        by_budget = group.set_index("budget")
        cells = {
            f"n = {budget}" if budget != "all" else "all": (
                _with_interval(by_budget.loc[budget], "mean", metric)
                if budget in by_budget.index
                else "–"
            )
            for budget in budgets
        }
        rows.append(_names(structure, metric, method, init, styles, titles) | cells)
    return Shown(pd.DataFrame(rows), words=3)


def shown_gains(gains: pd.DataFrame, styles: Styles, titles: Titles) -> Shown:
    """A comparison a row: without, with, gain [interval], who improved, p."""
    rows = []
    for row in gains.to_dict("records"):
        metric, specimens = row["metric"], row["specimens"]
        rows.append(
            _names(row["structure"], metric, row["method"], row["init"], styles, titles)
            | {
                "Patches": str(row["budget"]),
                "Scratch": display.number(row["scratch"], metric),
                "Pretrained": display.number(row["pretrained"], metric),
                "Gain": _with_interval(pd.Series(row), "gain", metric, sign=True),
                "Improved": "–" if pd.isna(row["better"]) else f"{100 * row['better']:.0f} %",
                "Specimens": str(specimens) if specimens else "unknown",
                "p (Holm)": "–" if pd.isna(row["p_holm"]) else f"{row['p_holm']:.3g}",
            }
        )
    return Shown(pd.DataFrame(rows), words=3)


def shown_cost(cost: pd.DataFrame, styles: Styles, titles: Titles) -> Shown:
    """An entrant a row: parameters, GPU hours (hours, where there is no GPU) by stage, memory."""
    unit = "gpu_hours" if cost["gpu_hours"].sum() > 0 else "hours"
    name = "GPU h" if unit == "gpu_hours" else "h"
    rows = []
    for (method, init), group in cost.groupby(["method", "init"], sort=False):
        by_stage = group.groupby("stage")[unit].sum()
        parameters = group["parameters"].iloc[0]
        rows.append(
            {
                "Entrant": display.entrant(styles, method, init),
                "Parameters (M)": "–" if pd.isna(parameters) else f"{parameters / 1e6:.2f}",
                **{
                    f"{stage} ({name})": _decimals(by_stage.get(stage, np.nan), 2)
                    for stage in STAGES
                    if stage in set(cost["stage"])
                },
                f"Total ({name})": _decimals(by_stage.sum(), 2),
                "Peak memory (GB)": _decimals(group["peak_memory_gb"].max(), 1),
            }
        )
    return Shown(pd.DataFrame(rows))


TABLES: dict[str, Table] = {
    "leaderboard": Table(
        "leaderboard",
        shown_leaderboard,
        "Leaderboard. Ranks per metric, averaged within and then over groups of structures; ties "
        "share the better place. Places are bootstrapped where every structure has at least six "
        "known specimens.",
    ),
    "standings": Table(
        "standings",
        shown_standings,
        "Leaderboard with mean Dice and cost: CPU and GPU time summed over all jobs of an entrant, "
        "its pretraining among them; memory is the highest of any job. What an ensemble's members "
        f"cost is counted with them. {NOT_SEGMENTED}",
    ),
    "structures": Table(
        "by_metric",
        shown_structures,
        "Scores per structure: mean ± standard deviation over cases; the best of a structure in "
        f"bold. {NOT_SEGMENTED} {INTERVALS}",
    ),
    "budgets": Table(
        "curves", shown_budgets, f"Mean scores by number of training patches. {INTERVALS}"
    ),
    "gains": Table(
        "gains",
        shown_gains,
        "Gain of pretraining over training from scratch, in units of the metric; Improved: share "
        "of specimens that are better with it (of cases, where specimens are unknown). p: paired "
        f"Wilcoxon signed-rank test, Holm-adjusted. {INTERVALS}",
    ),
    "cost": Table(
        "cost",
        shown_cost,
        "Cost of each entrant, summed over all its jobs; memory is the highest of any job.",
    ),
}


def _nothing() -> Shown:
    return Shown(pd.DataFrame({"Nothing to show": ["no rows"]}))


def _caption(caption: str, partial: list[str] | None, note: str | None) -> str:
    warning = f"PARTIAL, missing: {'; '.join(partial)}. " if partial else ""
    return f"{warning}{caption}{f' {note}' if note else ''}"


def _titled(source: pd.DataFrame, styles: Styles) -> pd.DataFrame:
    if not {"method", "init"} <= set(source):
        return source
    titles = [
        display.entrant(styles, method, init)
        for method, init in zip(source["method"], source["init"], strict=True)
    ]
    titled = source.copy()
    titled.insert(0, "entrant", titles)
    return titled


def _names(
    structure: str, metric: str, method: str, init: str, styles: Styles, titles: Titles
) -> dict[str, str]:
    return {
        "Structure": display.structure(titles, structure),
        "Metric": display.metric_name(metric),
        "Entrant": display.entrant(styles, method, init),
    }


def _decimals(value: float, decimals: int) -> str:
    return "–" if pd.isna(value) else f"{value:.{decimals}f}"


def _mean(row: pd.Series, metric: str) -> str:
    if not segmented(row):
        return "–"
    spread = "" if pd.isna(row["sd"]) else f" ± {display.number(row['sd'], metric)}"
    interval = display.interval(row["low"], row["high"], metric)
    return display.number(row["mean"], metric) + spread + (f" [{interval}]" if interval else "")


def _with_interval(row: pd.Series, column: str, metric: str, *, sign: bool = False) -> str:
    interval = display.interval(row["low"], row["high"], metric, sign=sign)
    value = display.number(row[column], metric, sign=sign)
    return f"{value} [{interval}]" if interval else value
