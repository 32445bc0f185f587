"""Sentences on pretraining: whether it helped, by how much, where, how sure that is; controls.

Verdicts are given on what was declared beforehand and on nothing else. Gains beside them (one
method with one pretext on one structure) are exploratory: the best is told with the worst.
"""

from __future__ import annotations

import math

import pandas as pd

from ..challenge.display import Display
from ..challenge.run import AGAIN, is_pretrained
from ..ranking.power import Spreads, specimens_needed
from ..ranking.tables import Tables
from ..ranking.verdicts import (
    EXPLORATORY,
    GAIN,
    HARM,
    INCONCLUSIVE,
    NO_RELEVANT_GAIN,
    NOT_ANSWERABLE,
)
from . import labels
from .gains import ENDPOINTS, declared_metric, endpoint_name, improved, of_declared_metric

ANSWERS = {
    GAIN: "Yes",
    HARM: "No, it did harm",
    NO_RELEVANT_GAIN: "No",
    INCONCLUSIVE: "Not decided",
    NOT_ANSWERABLE: "Not answered",
    EXPLORATORY: "Not asked",
}
CONTROL_ARMS = {
    "scratch-long": "The control scratch-long (from scratch, with pretraining's compute on top)",
    AGAIN: f"The control {AGAIN} (from scratch, with other seeds)",
}
MORE_TRAININGS = (2, 4)  # times as many: what they would need is told beside the design's own


def headline(tables: Tables, display: Display) -> str:
    """One sentence: the verdict on the primary endpoint, or why there is none."""
    verdicts = tables["verdicts"]
    if len(verdicts):
        primary = verdicts.iloc[0]
        answer = ANSWERS[primary["verdict"]]
        metric = labels.metric_name(primary["metric"], arrow=False)
        said = primary["statement"].removeprefix(f"{primary['verdict']}: ")
        return f"{answer}: {said} ({metric}; {endpoint_name(primary, display)})."
    if of_declared_metric(tables).empty:
        return "Not answered: no method was scored both from scratch and pretrained."
    return "Not asked: no analysis was declared beforehand, and what gains show is exploratory."


def further_endpoints(tables: Tables, display: Display) -> list[str]:
    """The declared endpoints after the primary one, in their order."""
    return [
        f"{_capital(ENDPOINTS[row['endpoint']])}: {endpoint_name(row, display)}: "
        f"{row['statement']}."
        for row in tables["verdicts"].iloc[1:].to_dict("records")
    ]


def ranges(tables: Tables, display: Display) -> list[str]:
    """The least and the largest gain of pretexts, then of each control."""
    gains = improved(of_declared_metric(tables))
    of_pretexts = gains["init"].map(is_pretrained).astype(bool)
    return [
        *_range(gains[of_pretexts], "Exploratory, all pretexts", display),
        *(
            sentence
            for init, what in CONTROL_ARMS.items()
            for sentence in _range(gains[gains["init"] == init], what, display)
        ),
    ]


def _range(gains: pd.DataFrame, what: str, display: Display) -> list[str]:
    """The least and the largest gain with every patch, each with its interval."""
    gains = gains[gains["budget"] == "all"].sort_values("improvement", kind="stable")
    if gains.empty:
        return []
    metric = labels.metric_name(gains["metric"].iloc[0], arrow=False)
    least, largest = (_described(gains.iloc[end], display) for end in (0, -1))
    span = f"from {least} to {largest}" if len(gains) > 1 else least
    comparisons = labels.count(len(gains), "comparison")
    return [f"{what}: in {comparisons} with every patch the gain in {metric} was {span}."]


def _described(row: pd.Series, display: Display) -> str:
    metric = row["metric"]
    interval = labels.interval(row["least"], row["most"], metric, sign=True)
    return (
        f"{labels.number(row['improvement'], metric, sign=True)} "
        f"({display.entrant(row['method'], row['init'])} on {display.structure(row['structure'])}"
        f"{'; ' + interval if interval else ''})"
    )


def how_sure(tables: Tables) -> list[str]:
    """Of the primary endpoint: the design and its spreads, what it takes, checks, gaps."""
    verdicts = tables["verdicts"]
    if verdicts.empty:
        return []
    primary = verdicts.iloc[0]
    sentences = [f"The analysis was declared in the configuration ({declaration(primary)})."]
    if math.isfinite(primary["standard_error"]):
        sentences += [_design(primary), *what_it_takes(tables), *_checks(primary)]
    for what, number in (
        ("pairs of scores in which a worst value stands in for a missing one", primary["imputed"]),
        ("runs without a partner, left out", primary["unpaired"]),
    ):
        if number:
            sentences.append(f"{_capital(what)}: {number}.")
    return sentences


def declaration(verdict: pd.Series) -> str:
    """The hash and the day of the declaration; the day has to be stated by whoever declared it."""
    day = verdict["declared"]
    return f"{verdict['declaration']}, {day if isinstance(day, str) and day else 'day not stated'}"


def _design(primary: pd.Series) -> str:
    """Specimens, trainings, degrees of freedom, and the three standard deviations."""
    metric = primary["metric"]
    spreads = [
        f"{name} {labels.number(primary[column], metric)}"
        for name, column in (
            ("specimens", "specimen_sd"),
            ("trainings", "training_sd"),
            ("the rest", "rest_sd"),
        )
        if math.isfinite(primary[column])
    ]
    return (
        f"How sure: {labels.count(primary['specimens'], 'specimen')} a structure and "
        f"{labels.count(primary['trainings'], 'training')} an arm, "
        f"{primary['degrees']:.1f} degrees of freedom; standard deviations of the gain: "
        f"{labels.listed(spreads)}."
    )


def what_it_takes(tables: Tables) -> list[str]:
    """What the design of the primary endpoint detects, and what a gain of the margin takes."""
    verdicts = tables["verdicts"]
    if verdicts.empty:
        return []
    primary = verdicts.iloc[0]
    spreads = Spreads(primary["specimen_sd"], primary["training_sd"], primary["rest_sd"])
    margin, trainings = float(primary["margin"]), int(primary["trainings"])
    if not all(map(math.isfinite, (margin, spreads.specimens, spreads.trainings, spreads.rest))):
        return []
    detectable = float(primary["detectable"])
    detects = f"This design detects {labels.number(detectable, primary['metric'])} at 80 %"
    if detectable <= margin:
        return [f"{detects}, less than the margin of {margin:g}: more of it would add little."]
    needed = {s: specimens_needed(spreads, margin, s) for s in (trainings, *_more(trainings))}
    options = [f"{n} specimens × {s} trainings" for s, n in needed.items() if n is not None]
    takes = " or ".join(options) if options else "more trainings than four times as many"
    return [f"{detects}; what would change the answer: a gain of {margin:g} takes {takes}."]


def _more(trainings: int) -> tuple[int, ...]:
    return tuple(times * trainings for times in MORE_TRAININGS)


def _checks(primary: pd.Series) -> list[str]:
    sentences = []
    if math.isfinite(primary["signed_rank_p"]):
        sentences.append(
            f"Check: the signed-rank test of specimens gives p = {primary['signed_rank_p']:.2g} "
            f"(the least that it can reach here is {primary['smallest_signed_rank_p']:.2g}); the t "
            f"test p = {primary['p']:.2g}."
        )
    if math.isfinite(primary["predicted_low"]):
        metric = primary["metric"]
        expected = labels.interval(
            primary["predicted_low"], primary["predicted_high"], metric, sign=True
        )
        between = labels.number(primary["between_structures"], metric)
        sentences.append(
            f"Between structures the gain differs with a standard deviation of {between}; on "
            f"another one like them {expected} is expected."
        )
    return sentences


def by_structure(tables: Tables, display: Display) -> pd.DataFrame:
    """A structure a row, in the declared metric with every patch: least and largest gain."""
    metric = declared_metric(tables)
    gains = improved(of_declared_metric(tables))
    gains = gains[(gains["budget"] == "all") & gains["init"].map(is_pretrained).astype(bool)]
    rows = []
    for structure, group in gains.groupby("structure", sort=False):
        ordered = group.sort_values("improvement", kind="stable")
        known = int(group["specimens"].max())
        rows.append(
            {
                "Structure": display.structure(structure),
                "In training": display.in_training(structure, bool(group["seen"].iloc[0])),
                "Metric": labels.metric_name(metric),
                "Least gain": _described(ordered.iloc[0], display),
                "Largest gain": _described(ordered.iloc[-1], display),
                "Comparisons": str(len(group)),
                "Specimens": str(known) if known else "unknown",
                "Trainings": str(int(group["seeds"].min())),
            }
        )
    return pd.DataFrame(rows)


def controls_outcome(tables: Tables) -> str:
    """One sentence: all controls passed, or which have failed; empty where none was declared."""
    controls = tables["controls"]
    if controls.empty:
        return ""
    failed = [
        f"{row['control']} (expected {row['expected']}; found {row['statement']})"
        for row in controls.to_dict("records")
        if not row["passed"]
    ]
    if failed:
        return (
            f"No: {labels.count(len(failed), 'control')} of {len(controls)} failed, and the "
            f"verdicts of this run are not to be relied on: {'; '.join(failed)}."
        )
    gains = [
        f"{row['control']} {labels.number(row['gain'], row['metric'], sign=True)} "
        f"(expected {row['expected']})"
        for row in controls.to_dict("records")
    ]
    return f"Yes, {labels.count(len(gains), 'control')} of {len(gains)} passed: {', '.join(gains)}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
