"""Training histories. Lines of one colour are runs under one label. Training loss is averaged over
the steps since the last entry; validation scores and held-out losses are on data never trained on;
dotted lines are the loss of a predictor that has learnt nothing. A cross marks a training whose
loss stopped being finite, or that learnt nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatter

from ..challenge.display import Display
from ..system.errors import InputError
from ..system.tables import listed, read_tsv
from .drawing import canvas

# What is shown, in this order, where a history has it; the rest is for TensorBoard.
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
COLOURS = canvas.SPARE_COLOURS
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))


def draw_histories(
    histories: Mapping[str, Sequence[str | Path]],
    display: Display,
    outputs: Mapping[str, str | Path],
) -> None:
    """Draw the histories of trainings, a panel a quantity, a colour a label.

    histories: {label: history tables, one a seed}; columns step, seconds, name, value.
    Raises InputError for a table without these columns.
    """
    tables = {label: [_read(path) for path in paths] for label, paths in histories.items()}
    present = {name for runs in tables.values() for run in runs for name in run["name"].unique()}
    panels = [name for name in SHOWN if name in present]
    with canvas.drawing():
        if panels:
            figure = canvas.sheet("page", 46 * -(-len(panels) // 3))
            grid = figure.add_gridspec(-(-len(panels) // 3), 3)
            for order, name in enumerate(panels):
                axes = figure.add_subplot(grid[divmod(order, 3)])
                _draw_quantity(axes, name, tables)
            handles = [
                Line2D([], [], label=label, **_line(order)) for order, label in enumerate(tables)
            ]
            canvas.key(figure, handles)
        else:
            figure = canvas.statement("No training has written a history.", "page")
        canvas.mark(figure, display)
        canvas.save(figure, outputs, "training histories")


def _read(path: str | Path) -> pd.DataFrame:
    table = read_tsv(path, "a history")
    if list(table.columns) != COLUMNS:
        raise InputError(
            f"{path}: expected the columns {', '.join(COLUMNS)}, found {listed(table.columns)}"
        )
    return table


def _line(order: int) -> dict[str, object]:
    dash = DASHES[order // len(COLOURS) % len(DASHES)]
    return {"color": COLOURS[order % len(COLOURS)], "linestyle": dash, "linewidth": 0.8}


def _draw_quantity(axes: Axes, name: str, tables: Mapping[str, Sequence[pd.DataFrame]]) -> None:
    drawn = []
    for order, runs in enumerate(tables.values()):
        line = _line(order)
        for run in runs:
            own = run[run["name"] == name]
            axes.plot(own["step"], own["value"], alpha=0.85, **line)
            drawn.append(own["value"].to_numpy())
            if name == "held_out_loss":
                trivial = run[run["name"] == "held_out_trivial_loss"]
                dotted = {"linestyle": ":", "linewidth": 0.8, "color": line["color"]}
                axes.plot(trivial["step"], trivial["value"], **dotted)
            _mark_flaws(axes, own, run, str(line["color"]))
    values = np.concatenate(drawn)
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() > 50 * values.min():
        axes.set_yscale("log")
        # Numbers without mathematical signs, which are not set: titles are text (canvas).
        axes.yaxis.set_major_formatter(LogFormatter())
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.0, 0.4)))
    axes.set_xlabel("step")
    axes.set_ylabel(SHOWN[name])
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="y")


def _mark_flaws(axes: Axes, own: pd.DataFrame, run: pd.DataFrame, colour: str) -> None:
    finite = own[np.isfinite(own["value"])]
    flawed = run["name"].isin(FLAWS) & (run["value"] == 1)
    if flawed.any() and len(finite):
        last = finite.iloc[-1]
        axes.plot(last["step"], last["value"], "x", color=colour, markersize=5, clip_on=False)
