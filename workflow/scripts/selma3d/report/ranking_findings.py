"""Who won, and how sure that is: sentences that say no more than the ranking tables do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from . import display
from .display import Styles

Tables = Mapping[str, pd.DataFrame]
Titles = Mapping[str, str]
Entrant = tuple[str, str]

LEVEL = 0.05


def winners(board: pd.DataFrame) -> list[Entrant]:
    """Entrants that hold or share the best place; none where nothing is ranked."""
    placed = board.dropna(subset="place") if len(board) else board
    if placed.empty:
        return []
    first = placed[placed["place"] == placed["place"].min()]
    return list(first[["method", "init"]].itertuples(index=False, name=None))


def who_won(tables: Tables, styles: Styles) -> str:
    """The winner and the runner-up, or why there is none."""
    board = tables["leaderboard"]
    best = winners(board)
    if not best:
        return "Nobody: nothing has been ranked."
    names = _names(best, styles)
    if len(board) == 1:
        return f"{names} is the only entrant, so first place says nothing."
    rank = display.number(float(board["mean_rank"].min()))
    if len(best) == len(board):
        return f"All {len(board)} entrants share first place (mean rank {rank})."
    if len(best) > 1:
        return f"{names} share first place among {len(board)} entrants (mean rank {rank})."
    rest = board[[e not in best for e in _entrants(board)]].dropna(subset="place")
    second = _names(winners(rest), styles)
    behind = display.number(float(rest["mean_rank"].min()))
    return (
        f"{names} is first of {len(board)} entrants (mean rank {rank}), "
        f"before {second} (mean rank {behind})."
    )


def how_sure(tables: Tables, styles: Styles, titles: Titles) -> list[str]:
    """Bootstrap, tests against the runner-up, ranking rules and metric definitions."""
    board = tables["leaderboard"]
    best = winners(board)
    if len(best) != 1 or len(board) == 1:
        return _over_specimens(tables, None, styles, titles) + _over_rules(tables, best, styles)
    return [
        *_over_specimens(tables, best[0], styles, titles),
        *_against_runner_up(tables, best[0], styles),
        *_over_rules(tables, best, styles),
        *_over_profiles(tables, best, styles),
    ]


def gaps_in_data(board: pd.DataFrame, styles: Styles, titles: Titles) -> list[str]:
    """What is said of leaderboard rows: each note once, with the entrants it is about."""
    by_note: dict[str, list[Entrant]] = {}
    for entry in board.itertuples() if "note" in board else ():
        notes = str(entry.note).split("; ") if pd.notna(entry.note) and entry.note else []
        for note in notes:
            by_note.setdefault(_titled(note, titles), []).append((entry.method, entry.init))
    return [
        f"{'All entrants' if len(who) == len(board) else _names(who, styles)}: {note}."
        for note, who in by_note.items()
    ]


def quirks(tables: Tables, styles: Styles, titles: Titles) -> list[str]:
    """Where the edition's metric definitions change values or places against the robust ones."""
    sentences = []
    for row in tables.get("profiles", pd.DataFrame()).itertuples():
        if row.changed:
            name = display.metric_name(row.metric, arrow=False, unit=False)
            sentences.append(
                f"{display.structure(titles, row.structure)}, {name}: in {row.changed} of "
                f"{display.count(row.cases, 'case')} the edition's definition and the robust one "
                "give different values."
            )
    places = tables.get("profile_places", pd.DataFrame())
    moved = places[places["place_profile"] != places["place_robust"]] if len(places) else places
    if len(moved):
        moves = [
            f"{display.entrant(styles, row.method, row.init)} "
            f"({_place(row.place_profile)} → {_place(row.place_robust)})"
            for row in moved.itertuples()
        ]
        sentences.append(
            f"With the robust definitions, {display.count(len(moved), 'entrant')} of {len(places)} "
            f"would stand elsewhere: {', '.join(moves)}."
        )
    elif len(places) and sentences:
        sentences.append("No place changes by that.")
    return sentences


def _titled(note: str, titles: Titles) -> str:
    """A note of the leaderboard, which is about a structure where it begins with its name."""
    name, colon, said = note.partition(": ")
    return display.structure(titles, name) + colon + said


def _over_specimens(
    tables: Tables, winner: Entrant | None, styles: Styles, titles: Titles
) -> list[str]:
    board, bootstrap = tables["leaderboard"], tables.get("bootstrap", pd.DataFrame())
    if board.empty:
        return []
    if not board["place_low"].notna().any() or bootstrap.empty:
        notes = {part for note in board["note"] for part in str(note).split("; ")}
        reasons = sorted(_titled(note, titles) for note in notes if "no interval" in note)
        because = f" ({'; '.join(reasons)})" if reasons else ""
        return [
            "How far the ranking depends on the specimens is not known: places have no intervals"
            f"{because}."
        ]
    sentences = []
    if winner is not None:
        own = bootstrap[[e == winner for e in _entrants(bootstrap)]]["place"].dropna()
        row = board[[e == winner for e in _entrants(board)]].iloc[0]
        low, high = _place(row["place_low"]), _place(row["place_high"])
        places = f"are {low}" if low == high else f"lie between {low} and {high}"
        sentences.append(
            f"{display.entrant(styles, *winner)} is first in {_percent((own == 1).mean())} of "
            f"{len(own):,} bootstrap samples of specimens and seeds; 95 % of its places {places}."
        )
    tau = tables.get("stability", pd.DataFrame(columns=["comparison"]))
    for row in tau[tau["comparison"] == "bootstrap"].dropna(subset="tau_mean").itertuples():
        spread = f", 95 % of them between {row.tau_low:.2f} and {row.tau_high:.2f}"
        sentences.append(
            f"Kendall's τ between the ranking and its bootstrap samples is {row.tau_mean:.2f} on "
            f"average{'' if pd.isna(row.tau_low) else spread} (1: the same order, 0: unrelated)."
        )
    return sentences


def _against_runner_up(tables: Tables, winner: Entrant, styles: Styles) -> list[str]:
    board = tables["leaderboard"]
    rest = board[[e != winner for e in _entrants(board)]]
    second = winners(rest)[0]
    pairs = tables.get("pairwise", pd.DataFrame())
    better = worse = tested = disciplines = 0
    for pair in pairs.itertuples():
        a, b = (pair.method_a, pair.init_a), (pair.method_b, pair.init_b)
        if {a, b} != {winner, second}:
            continue
        disciplines += 1
        tested += pd.notna(pair.p_holm)
        if pd.notna(pair.p_holm) and pair.p_holm < LEVEL:
            advantage = display.improvement(pair.metric, pair.difference) * (
                1 if a == winner else -1
            )
            better, worse = better + (advantage > 0), worse + (advantage < 0)
    name = display.entrant(styles, *second)
    if not disciplines:
        return []
    if not tested:
        return [f"Whether it is better than {name} beyond chance could not be tested."]
    return [
        f"Against {name} it is significantly better in {better} and significantly worse in {worse} "
        f"of {display.count(tested, 'tested pair')} of structure and metric (Holm-adjusted "
        f"signed-rank tests, level {LEVEL})."
    ]


def _over_rules(tables: Tables, best: Sequence[Entrant], styles: Styles) -> list[str]:
    rules = tables.get("rules", pd.DataFrame())
    if rules.empty or not best:
        return []
    others = []
    for rule, places in rules.groupby("rule", sort=False):
        first = winners(places)
        if set(first) != set(best):
            many = len(first) > 3
            who = display.count(len(first), "entrant") if many else _names(first, styles)
            others.append(f"under {rule} {who} would {'share' if len(first) > 1 else 'take'} it")
    number = rules["rule"].nunique()
    if not others:
        return [f"All {number} ranking rules agree on first place."]
    return [f"First place depends on the ranking rule: {'; '.join(others)}."]


def _over_profiles(tables: Tables, best: Sequence[Entrant], styles: Styles) -> list[str]:
    places = tables.get("profile_places", pd.DataFrame())
    if places.empty:
        return []
    robust = winners(places.rename(columns={"place_robust": "place"}))
    if set(robust) == set(best):
        return ["With the robust definitions of the metrics, first place is the same."]
    return [f"With the robust definitions of the metrics, {_names(robust, styles)} would be first."]


def _entrants(table: pd.DataFrame) -> list[Entrant]:
    return list(table[["method", "init"]].itertuples(index=False, name=None))


def _names(entrants: Sequence[Entrant], styles: Styles) -> str:
    return display.listed([display.entrant(styles, *entrant) for entrant in entrants])


def _place(place: float) -> str:
    return "–" if pd.isna(place) else f"{place:.0f}"


def _percent(share: float) -> str:
    """A share in percent that reads 0 or 100 only where it is exactly that."""
    if 0 < share < 1:
        return f"{float(np.clip(100 * share, 0.1, 99.9)):.3g} %"
    return f"{100 * share:.0f} %"
