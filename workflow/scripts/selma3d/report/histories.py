"""Training histories: a row for each group of images that was learnt from, a column a quantity.
A line is a training, its last entry a symbol; colour tells the method, line and symbol its
initialisation (or what it pretrains), as in all figures. Training loss is averaged over the steps
since the last entry; validation scores and held-out losses are on data never trained on; dotted
lines are the loss of a predictor that has learnt nothing. A cross marks a training whose loss
stopped being finite, or that learnt nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from ..challenge.display import Display
from ..system.tables import read_tsv
from .drawing import canvas
from .drawing.entrants import EntrantStyle, EntrantStyles
from .shown import Trainings

# What is shown, in this order, where a history has it; the rest stands in the table.
SHOWN = {
    "loss": "training loss",
    "held_out_loss": "held-out loss ↓",
    "validation_dice": "validation Dice ↑",
    "validation_pooled_dice": "validation pooled Dice ↑",
    "spread": "spread of features",
    "learning_rate": "learning rate",
}
FLAWS = ("diverged", "collapsed")
COLUMNS = ["step", "seconds", "name", "value"]
ROW_MM, PAGE_MM = 42, 225


def draw_histories(
    trainings: Sequence[Trainings], display: Display, outputs: Mapping[str, str | Path]
) -> None:
    """Draw the histories of trainings, a row a group of images, a column a quantity.

    Histories are tables with the columns step, seconds, name, value; InputError for others.
    """
    tables = {
        each: [read_tsv(path, "a history", COLUMNS) for path in each.histories]
        for each in trainings
    }
    present = {name for runs in tables.values() for run in runs for name in run["name"].unique()}
    quantities = [name for name in SHOWN if name in present]
    with canvas.drawing():
        if quantities:
            figure = _draw(quantities, tables, display)
        else:
            figure = canvas.statement("No training has written a history.", "page")
        canvas.mark(figure, display)
        canvas.save(figure, outputs, "Training histories")


def _draw(
    quantities: Sequence[str],
    tables: Mapping[Trainings, Sequence[pd.DataFrame]],
    display: Display,
) -> Figure:
    entrants = list(dict.fromkeys(each.entrant for each in tables))
    styles = EntrantStyles(display, entrants)
    rows = list(dict.fromkeys(each.learnt_from for each in tables))
    figure = canvas.sheet("page", min(ROW_MM, PAGE_MM / len(rows)) * len(rows))
    panels = figure.subplots(len(rows), len(quantities), sharex="row", squeeze=False)
    for row, line in zip(rows, panels, strict=True):
        own = {each: runs for each, runs in tables.items() if each.learnt_from == row}
        for name, axes in zip(quantities, line, strict=True):
            for each, runs in own.items():
                _draw_runs(axes, name, runs, styles[each.entrant])
            _frame(axes, name)
        trained = max(len(runs) for runs in own.values())
        line[0].set_title(f"{display.structure(row)} · n = {trained} an entrant")
    for axes in panels[-1]:
        axes.set_xlabel("step")
    handles = styles.lines(entrants)
    if "held_out_loss" in quantities:
        dotted = {"color": canvas.NEUTRAL, "linestyle": ":"}
        handles.append(canvas.sign("predictor that has learnt nothing", **dotted))
    if any(_is_flawed(run) for runs in tables.values() for run in runs):
        cross = {"color": canvas.NEUTRAL, "marker": "x", "linestyle": ""}
        handles.append(canvas.sign("not finite, or nothing learnt", **cross))
    canvas.key(figure, handles)
    return figure


class _PlainNumbers(LogFormatter):
    """0.001 for 1e-03, and without mathematical signs, which are not set: titles are text."""

    def __call__(self, value: float, position: int | None = None) -> str:
        return f"{value:g}" if super().__call__(value, position) else ""


def _draw_runs(axes: Axes, name: str, runs: Sequence[pd.DataFrame], style: EntrantStyle) -> None:
    for run in runs:
        own = run[run["name"] == name]
        thin = 0.8 if len(own) < 100 else 0.5
        curve = {"linewidth": thin, "markersize": 3, "markevery": [-1], "alpha": 0.85}
        if len(own):
            axes.plot(own["step"], own["value"], clip_on=False, **(style.curve | curve))
        if name == "held_out_loss":
            trivial = run[run["name"] == "held_out_trivial_loss"]
            dotted = {"linestyle": ":", "linewidth": 0.8, "color": style.colour}
            axes.plot(trivial["step"], trivial["value"], **dotted)
        _mark_flaws(axes, own, run, style.colour)


def _frame(axes: Axes, name: str) -> None:
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines] or [[]])
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() > 50 * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(_PlainNumbers())
        axes.yaxis.set_minor_formatter(_PlainNumbers(minor_thresholds=(1.0, 0.4)))
    axes.set_ylabel(SHOWN[name])
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="y")


def _mark_flaws(axes: Axes, own: pd.DataFrame, run: pd.DataFrame, colour: str) -> None:
    finite = own[np.isfinite(own["value"])]
    if _is_flawed(run) and len(finite):
        last = finite.iloc[-1]
        axes.plot(last["step"], last["value"], "x", color=colour, markersize=5, clip_on=False)


def _is_flawed(run: pd.DataFrame) -> bool:
    return bool((run["name"].isin(FLAWS) & (run["value"] == 1)).any())
