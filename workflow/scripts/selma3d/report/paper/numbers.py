"""Numbers and findings of a manuscript as LaTeX macros, so that no number is typed by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pandas as pd

from ...challenge.display import Display
from ...challenge.edition import Edition
from ...ranking.tables import Tables
from .. import label_findings, labels, pretraining_findings, ranking_findings
from ..gains import budget_name
from ..table_formats import escape_latex

PREFIX = "The"  # begins the name of each macro
DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
ENDPOINT_NUMBERS = ("gain", "low", "high", "margin", "detectable")

Macros = dict[str, str]  # text of a macro, not yet escaped, by its name without the backslash


def macro_name(*words: str) -> str:
    """A macro's name of some words: letters only, such as \\ThePerTypeDiceUnetMaskedCfos."""
    parts = [part for word in words for part in re.findall(r"[A-Za-z]+|[0-9]", word)]
    spelled = [DIGITS[int(p)] if p.isdigit() else p[0].upper() + p[1:] for p in parts]
    return PREFIX + "".join(spelled)


def numbers(edition: Edition, tracks: Mapping[str, Tables], display: Display) -> Macros:
    """Every macro of a manuscript: of the edition, and of each track's ranking tables."""
    macros = {
        macro_name("title"): edition.title,
        macro_name("description"): edition.description,
        macro_name("note"): display.note or "",
        macro_name("partial"): "; ".join(display.partial),
    }
    for track, tables in tracks.items():
        for words, text in _of_track(tables, display):
            name = macro_name(track, *words)
            while name in macros:  # as where two structures differ in a hyphen alone
                name += "Again"
            macros[name] = text
    return macros


def written(macros: Macros) -> str:
    """The macros as a file that LaTeX reads."""
    lines = [rf"\newcommand{{\{name}}}{{{escape_latex(text)}}}" for name, text in macros.items()]
    return "\n".join(
        ["% Written from the tables of the results; changes here are lost.", *lines, ""]
    )


def _of_track(tables: Tables, display: Display) -> Iterator[tuple[tuple[str, ...], str]]:
    leaderboard, cases = tables["leaderboard"], tables["cases"]
    yield ("entrants",), labels.count(len(leaderboard), "entrant")
    if len(cases):
        each = cases[["structure", "specimen", "case"]].drop_duplicates()
        known = each[each["specimen"].fillna("") != ""]
        names = [display.structure(name) for name in each["structure"].unique()]
        yield ("structures",), labels.listed(names)
        yield ("cases",), labels.count(len(each), "test case")
        specimens = len(known[["structure", "specimen"]].drop_duplicates())
        yield (
            ("specimens",),
            labels.count(specimens, "specimen") if specimens else "unknown specimens",
        )
    else:
        for word in ("structures", "cases", "specimens"):
            yield (word,), f"no {word}"
    yield ("ranking",), ranking_findings.who_won(tables, display)
    yield ("won on",), " ".join(ranking_findings.won_on(tables, display))
    yield ("sure",), " ".join(ranking_findings.how_sure(tables, display))
    yield ("quirks",), " ".join(ranking_findings.quirks(tables, display))
    yield ("labels",), " ".join(label_findings.doubtful(tables, display))
    yield ("verdict",), pretraining_findings.headline(tables, display)
    yield ("further",), " ".join(pretraining_findings.further_endpoints(tables, display))
    yield ("ranges",), " ".join(pretraining_findings.ranges(tables, display))
    for row in leaderboard.itertuples():
        yield ("place", row.method, row.init), "–" if pd.isna(row.place) else f"{row.place:.0f}"
        yield ("mean rank", row.method, row.init), labels.number(row.mean_rank)
    for row in tables["by_metric"].itertuples():
        words = (row.metric, row.method, row.init, row.structure)
        yield words, labels.number(row.mean, row.metric)
    yield from _endpoints(tables["verdicts"])
    yield from _costs(tables["cost"])


def _endpoints(verdicts: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], str]]:
    for row in verdicts.to_dict("records"):
        name, metric = row["endpoint"], row["metric"]
        for what in ENDPOINT_NUMBERS:
            sign = what in ("gain", "low", "high")
            yield (name, what), labels.number(row[what], metric, sign=sign)
        yield (name, "verdict"), row["verdict"]
        yield (name, "metric"), labels.metric_name(metric, arrow=False)
        yield (name, "budget"), budget_name(str(row["budget"]))
        for what in ("specimens", "trainings"):
            yield (name, what), "–" if pd.isna(row[what]) else f"{row[what]:.0f}"


def _costs(cost: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], str]]:
    for what in ("hours", "cpu_hours", "gpu_hours"):
        yield ("all", *what.split("_")), labels.number(cost[what].sum())
