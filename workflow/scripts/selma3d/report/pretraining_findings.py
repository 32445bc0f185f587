"""Sentences on pretraining: whether it helped, by how much, where, and how sure that is.

A comparison is one method with one pretext on one structure in one metric, against the same method
from scratch on the same training patches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..challenge.display import Display
from ..challenge.run import is_pretrained
from ..ranking.tables import COLUMNS, Tables
from ..scoring.metrics import METRICS
from . import labels

LEVEL = 0.05


@dataclass(frozen=True)
class Tally:
    """How a set of comparisons went; significant means Holm-adjusted p below LEVEL."""

    comparisons: int
    better: int
    worse: int
    tested: int
    significantly_better: int
    significantly_worse: int

    @classmethod
    def of(cls, gains: pd.DataFrame) -> Tally:
        """Count the rows of `gains` (with the column `improvement`)."""
        up, down = gains["improvement"] > 0, gains["improvement"] < 0
        significant = gains["p_holm"] < LEVEL
        return cls(
            comparisons=len(gains),
            better=int(up.sum()),
            worse=int(down.sum()),
            tested=int(gains["p_holm"].notna().sum()),
            significantly_better=int((up & significant).sum()),
            significantly_worse=int((down & significant).sum()),
        )


def comparisons(tables: Tables, budget: str | None = "all") -> pd.DataFrame:
    """Gains of pretrained inits (not of the control scratch-long) at a budget, None for all.

    Adds `improvement`: the gain, positive where it is for the better.
    """
    nothing = pd.DataFrame(columns=list(COLUMNS["gains"]))
    return _of_inits(tables.get("gains", nothing), budget, pretrained=True)


def headline(tables: Tables) -> str:
    """One sentence: yes, no, mixed, not shown, not testable or not answered."""
    gains = comparisons(tables)
    if gains.empty:
        return (
            "Not answered: no method was scored both from scratch and pretrained with every "
            "training patch."
        )
    tally = Tally.of(gains)
    direction = (
        f"better in {tally.better} of {labels.count(tally.comparisons, 'comparison')} and worse "
        f"in {tally.worse}"
    )
    if not tally.tested:
        return (
            f"Not testable: pretraining was {direction}, but without enough known specimens this "
            "is a direction, not a finding."
        )
    of_tested = f"of {labels.count(tally.tested, 'tested comparison')}"
    up, down = tally.significantly_better, tally.significantly_worse
    if up and not down:
        return f"Yes, in {up} {of_tested}; in none was it significantly worse."
    if down and not up:
        return f"No: significantly worse in {down} {of_tested}, significantly better in none."
    if up and down:
        return (
            f"It depends: significantly better in {up}, significantly worse in {down} {of_tested}."
        )
    return (
        f"No gain could be shown: pretraining was {direction}, but in none {of_tested} "
        "beyond chance."
    )


def details(tables: Tables, display: Display) -> list[str]:
    """By how much, where, with how few labels, on unseen structures, against which control."""
    gains = comparisons(tables)
    if gains.empty:
        return _at_other_budgets(tables)
    metric = _first_metric(gains)
    own = gains[gains["metric"] == metric]
    worst = _gain(_extreme(own, best=False), metric)
    best = _gain(_extreme(own, best=True), metric)
    sentences = [
        f"By how much: in {_plain(metric)}, the median gain over "
        f"{labels.count(len(own), 'comparison')} is {_gain(own['gain'].median(), metric)} "
        f"(from {worst} to {best})."
    ]
    sentences += _where(own, display)
    sentences += _over_budgets(tables, metric)
    sentences += _seen_and_unseen(own, metric)
    sentences += _control(tables, metric)
    return sentences


def how_sure(tables: Tables, display: Display) -> list[str]:
    """How many comparisons were tested on how many specimens, and why others were not."""
    gains = comparisons(tables)
    if gains.empty:
        return []
    tally = Tally.of(gains)
    sentences = []
    if tally.tested:
        sentences.append(
            f"How sure: {tally.tested} of {tally.comparisons} comparisons could be tested (paired "
            "signed-rank tests on specimens, Holm-adjusted); "
            f"{tally.significantly_better + tally.significantly_worse} are significant at {LEVEL}."
        )
    else:
        sentences.append("How sure: no comparison could be tested.")
    untested = gains[gains["p_holm"].isna()].groupby("structure", sort=False)["specimens"].max()
    for known in untested.unique():
        names = [display.structure(name) for name in untested.index[untested == known]]
        sentences.append(f"{labels.listed(names)}: no test and no interval; {_why(int(known))}.")
    notes = gains["note"].dropna().astype(str).str.split("; ").explode(ignore_index=True)
    for note, rows in notes[~notes.str.contains("no p-value|^$")].groupby(notes):
        sentences.append(f"In {len(rows)} of {tally.comparisons} comparisons: {note}.")
    return sentences


def by_structure(tables: Tables, display: Display) -> pd.DataFrame:
    """A structure and metric a row: comparisons, how many better, median gain, how many shown."""
    rows = []
    groups = comparisons(tables).groupby(["structure", "metric"], sort=False)
    for (structure, metric), group in groups:
        tally = Tally.of(group)
        known = int(group["specimens"].max())
        rows.append(
            {
                "Structure": display.structure(structure),
                "In training": "seen" if group["seen"].iloc[0] else "unseen",
                "Metric": labels.metric_name(metric),
                "Comparisons": str(tally.comparisons),
                "Better": str(tally.better),
                "Median gain": _gain(group["gain"].median(), metric),
                "Worst": _gain(_extreme(group, best=False), metric),
                "Best": _gain(_extreme(group, best=True), metric),
                "Significantly better": str(tally.significantly_better) if tally.tested else "–",
                "Significantly worse": str(tally.significantly_worse) if tally.tested else "–",
                "Specimens": str(known) if known else "unknown",
            }
        )
    return pd.DataFrame(rows)


def _why(known: int) -> str:
    if known:
        return (
            f"there {'is' if known == 1 else 'are'} only {labels.count(known, 'specimen')}, and "
            "fewer than six can neither reach significance nor give an interval, so the figures "
            "show each of them"
        )
    return (
        "the specimens are unknown, and cases of one animal are not independent, so the figures "
        "show every case"
    )


def _of_inits(gains: pd.DataFrame, budget: str | None, *, pretrained: bool) -> pd.DataFrame:
    chosen = gains["init"].map(is_pretrained).eq(pretrained)
    if budget is not None:
        chosen &= gains["budget"].astype(str) == budget
    rows = gains[chosen].dropna(subset="gain")
    improved = [
        labels.improvement(metric, gain)
        for metric, gain in zip(rows["metric"], rows["gain"], strict=True)
    ]
    return rows.assign(improvement=np.asarray(improved, dtype=float))


def _at_other_budgets(tables: Tables) -> list[str]:
    budgets = sorted(set(comparisons(tables, None)["budget"].astype(str)))
    if not budgets:
        return []
    return [
        f"There are comparisons with fewer patches (budgets {labels.listed(budgets)}) in the "
        "table of gains; they do not decide the question."
    ]


def _where(gains: pd.DataFrame, display: Display) -> list[str]:
    """The comparison with the largest gain, and the one with the largest loss."""
    ordered = gains.sort_values("improvement", kind="stable")
    largest, smallest = ordered.iloc[-1], ordered.iloc[0]
    sentences = []
    if largest["improvement"] > 0:
        sentences.append(f"Where: most for {_described(largest, display)}.")
    if smallest["improvement"] < 0:
        sentences.append(f"It cost most for {_described(smallest, display)}.")
    return sentences


def _described(row: pd.Series, display: Display) -> str:
    metric = row["metric"]
    entrant = display.entrant(row["method"], row["init"])
    interval = labels.interval(row["low"], row["high"], metric, sign=True)
    sure = f", 95 % interval {interval}, p = {row['p_holm']:.2g}" if interval else ""
    specimens = int(row["specimens"])
    on = f", {labels.count(specimens, 'specimen')}" if specimens else ", specimens unknown"
    return (
        f"{entrant} on {display.structure(row['structure'])}: {_plain(metric)} "
        f"{labels.number(row['scratch'], metric)} → {labels.number(row['pretrained'], metric)} "
        f"({_gain(row['gain'], metric)}{sure}{on})"
    )


def _over_budgets(tables: Tables, metric: str) -> list[str]:
    gains = comparisons(tables, None)
    gains = gains[gains["metric"] == metric].assign(budget=lambda rows: rows["budget"].astype(str))
    budgets = sorted(set(gains["budget"]) - {"all"}, key=float)
    if not budgets:
        return []
    parts = []
    for budget in [*budgets, "all"]:
        own = gains[gains["budget"] == budget]
        label = "every patch" if budget == "all" else labels.count(int(budget), "patch", "patches")
        better = int((own["improvement"] > 0).sum())
        median = _gain(own["gain"].median(), metric)
        parts.append(f"{label} {median} (better in {better} of {len(own)})")
    return [f"With how few labels: median gain in {_plain(metric)} with {'; '.join(parts)}."]


def _seen_and_unseen(gains: pd.DataFrame, metric: str) -> list[str]:
    seen = gains["seen"].astype(bool)
    if not (seen.any() and (~seen).any()):
        return []
    return [
        f"On structures seen in training the median gain in {_plain(metric)} is "
        f"{_gain(gains.loc[seen, 'gain'].median(), metric)}, on unseen ones "
        f"{_gain(gains.loc[~seen, 'gain'].median(), metric)}."
    ]


def _control(tables: Tables, metric: str) -> list[str]:
    control = _of_inits(tables["gains"], "all", pretrained=False)
    control = control[control["metric"] == metric]
    if control.empty:
        return []
    return [
        "The control: spending pretraining's compute on longer training from scratch instead "
        f"(scratch-long) changed {_plain(metric)} by {_gain(control['gain'].median(), metric)} in "
        f"the median of {labels.count(len(control), 'comparison')}."
    ]


def _extreme(gains: pd.DataFrame, *, best: bool) -> float:
    ordered = gains.sort_values("improvement", kind="stable")["gain"]
    return float(ordered.iloc[-1 if best else 0])


def _first_metric(gains: pd.DataFrame) -> str:
    return next(metric for metric in METRICS if metric in set(gains["metric"]))


def _plain(metric: str) -> str:
    return labels.metric_name(metric, arrow=False, unit=False)


def _gain(gain: float, metric: str) -> str:
    return labels.number(gain, metric, sign=True)
