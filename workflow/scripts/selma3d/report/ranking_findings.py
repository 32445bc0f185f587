"""Sentences on the winner and how sure that is, which say no more than the ranking tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ..challenge.display import Display, Entrant
from ..challenge.edition import Edition
from ..ranking.tables import Tables
from . import labels
from .ranking_rows import LEVEL, could_be_significant, is_degenerate, of_panel


def winners(leaderboard: pd.DataFrame) -> list[Entrant]:
    """Entrants that hold or share the best place; none where nothing is ranked."""
    placed = leaderboard.dropna(subset="place")
    first = placed[placed["place"] == placed["place"].min()]
    return list(first[["method", "init"]].itertuples(index=False, name=None))


def who_won(tables: Tables, display: Display) -> str:
    """The winner and the runner-up, or why there is none."""
    leaderboard = tables["leaderboard"]
    best = winners(leaderboard)
    if not best:
        return "No winner: nothing has been ranked."
    names = _names(best, display)
    if len(leaderboard) == 1:
        return f"{names} is the only entrant, so first place says nothing."
    rank = labels.number(float(leaderboard["mean_rank"].min()))
    if len(best) == len(leaderboard):
        return f"All {len(leaderboard)} entrants share first place (mean rank {rank})."
    if len(best) > 1:
        return f"{names} share first place among {len(leaderboard)} entrants (mean rank {rank})."
    rest = leaderboard[[e not in best for e in _entrants(leaderboard)]].dropna(subset="place")
    second = _names(winners(rest), display)
    behind = labels.number(float(rest["mean_rank"].min()))
    return (
        f"{names} is first of {len(leaderboard)} entrants (mean rank {rank}), "
        f"before {second} (mean rank {behind})."
    )


def further(edition: Edition, tables: Tables, display: Display) -> list[tuple[str, str, bool]]:
    """Of each further leaderboard its name, its winner as a sentence, and whether it tells more.

    One that orders the same entrants as the first leaderboard does tells no more than that.
    """
    rows = tables["further_leaderboards"]
    first = _places(tables["leaderboard"])
    found = []
    for name, leaderboard in edition.ranking.leaderboards.items():
        own = rows[rows["leaderboard"] == name]
        if own.empty:
            found.append((name, f"{leaderboard.title}: no entrant.", False))
        elif _places(own) == first:
            found.append((name, f"{leaderboard.title}: the same places as above.", False))
        else:
            won = who_won({"leaderboard": own}, display)
            found.append((name, f"{leaderboard.title}: {won}", True))
    return found


def won_on(tables: Tables, display: Display) -> list[str]:
    """Of a single winner: on how much it ranks first, its best and its worst rank, side by side."""
    best, means = winners(tables["leaderboard"]), tables["by_metric"]
    if len(best) != 1 or len(tables["leaderboard"]) == 1 or means.empty:
        return []
    own = means[[entrant == best[0] for entrant in _entrants(means)]]
    ranked = tables["weights"][["structure", "metric"]]
    if len(ranked):
        own = own.merge(ranked, on=["structure", "metric"])
    if own.empty:
        return []
    shown = own[~own.apply(is_degenerate, axis=1)]
    first = int((shown["rank"] == 1).sum())
    worst = own.sort_values(["rank", "structure", "metric"], ascending=[False, True, True]).iloc[0]
    entrants = int((means[["method", "init"]].drop_duplicates()).shape[0])
    sentence = f"It ranks first in {first} of {len(own)} pairs of structure and metric"
    if worst["rank"] > 1:
        where = f"{display.structure(worst['structure'])}, " + labels.metric_name(
            worst["metric"], arrow=False, unit=False
        )
        sentence += f"; its worst rank is {_place(worst['rank'])} of {entrants} ({where})"
    sentences = [f"{sentence}."]
    if len(own) > len(shown):
        sentences.append(
            f"In {len(own) - len(shown)} more it has no better than an empty mask’s value."
        )
    return sentences


def how_sure(tables: Tables, display: Display) -> list[str]:
    """Bootstrap, tests against the runner-up, ranking rules and metric definitions."""
    leaderboard = tables["leaderboard"]
    best = winners(leaderboard)
    if len(best) != 1 or len(leaderboard) == 1:
        return _over_specimens(tables, None, display) + _over_rules(tables, best, display)
    return [
        *_over_specimens(tables, best[0], display),
        *_against_runner_up(tables, best[0], display),
        *_over_rules(tables, best, display),
        *_over_profiles(tables, best, display),
    ]


def gaps_in_data(leaderboard: pd.DataFrame, display: Display) -> list[str]:
    """What is said of leaderboard rows, each once, with the entrants and structures it is about."""
    by_note: dict[str, list[Entrant]] = {}
    for entry in leaderboard.itertuples():
        notes = str(entry.note).split("; ") if pd.notna(entry.note) and entry.note else []
        for note in notes:
            by_note.setdefault(note, []).append((entry.method, entry.init))
    by_entrants: dict[tuple[Entrant, ...], list[str]] = {}
    for note, who in by_note.items():
        by_entrants.setdefault(tuple(who), []).append(note)
    return [
        f"{'All entrants' if len(who) == len(leaderboard) else _names(who, display)}: {note}."
        for who, notes in by_entrants.items()
        for note in _titled(notes, display)
    ]


def quirks(tables: Tables, display: Display) -> list[str]:
    """Where the edition's metric definitions change values or places against the robust ones."""
    sentences = []
    for row in tables["profiles"].itertuples():
        if row.changed:
            name = labels.metric_name(row.metric, arrow=False, unit=False)
            sentences.append(
                f"{display.structure(row.structure)}, {name}: in {row.changed} of "
                f"{labels.count(row.cases, 'case')} the edition's definition and the robust one "
                "give different values."
            )
    places = tables["profile_places"]
    moved = places[places["place_profile"] != places["place_robust"]]
    if len(moved):
        moves = [
            f"{display.entrant(row.method, row.init)} "
            f"({_place(row.place_profile)} → {_place(row.place_robust)})"
            for row in moved.itertuples()
        ]
        sentences.append(
            f"With the robust definitions, {labels.count(len(moved), 'entrant')} of {len(places)} "
            f"would stand elsewhere: {', '.join(moves)}."
        )
    elif len(places) and sentences:
        sentences.append("No place changes by that.")
    return sentences


def _titled(notes: Iterable[str], display: Display) -> list[str]:
    """Notes of the leaderboard, one for all the structures of which it says the same.

    A note is about a structure where it begins with its name.
    """
    names: dict[str, list[str]] = {}
    for note in notes:
        name, _, said = note.partition(": ")
        names.setdefault(said, []).append(display.structure(name))
    alone = names.pop("", [])
    return [*alone, *(f"{labels.listed(about)}: {said}" for said, about in names.items())]


def _over_specimens(tables: Tables, winner: Entrant | None, display: Display) -> list[str]:
    leaderboard, bootstrap = tables["leaderboard"], tables["bootstrap"]
    if leaderboard.empty:
        return []
    if not leaderboard["place_low"].notna().any() or bootstrap.empty:
        notes = {part for note in leaderboard["note"] for part in str(note).split("; ")}
        reasons = _titled(sorted(note for note in notes if "no interval" in note), display)
        because = f" ({'; '.join(reasons)})" if reasons else ""
        return [
            "How far the ranking depends on the specimens is not known: places have no intervals"
            f"{because}."
        ]
    sentences = []
    if winner is not None:
        own = bootstrap[[e == winner for e in _entrants(bootstrap)]]["place"].dropna()
        row = leaderboard[[e == winner for e in _entrants(leaderboard)]].iloc[0]
        low, high = _place(row["place_low"]), _place(row["place_high"])
        places = f"are {low}" if low == high else f"lie between {low} and {high}"
        sentences.append(
            f"{display.entrant(*winner)} is first in {_percent((own == 1).mean())} of "
            f"{len(own):,} bootstrap samples of specimens and seeds; 95 % of its places {places}."
        )
    tau = tables["stability"]
    for row in tau[tau["comparison"] == "bootstrap"].dropna(subset="tau_mean").itertuples():
        spread = f", 95 % of them between {row.tau_low:.2f} and {row.tau_high:.2f}"
        sentences.append(
            f"Kendall's τ between the ranking and its bootstrap samples is {row.tau_mean:.2f} on "
            f"average{'' if pd.isna(row.tau_low) else spread} (1: the same order, 0: unrelated)."
        )
    return sentences


def _against_runner_up(tables: Tables, winner: Entrant, display: Display) -> list[str]:
    leaderboard = tables["leaderboard"]
    rest = leaderboard[[e != winner for e in _entrants(leaderboard)]]
    second = winners(rest)[0]
    pairs = tables["pairwise"]
    better = worse = tested = possible = disciplines = 0
    for pair in pairs.itertuples():
        a, b = (pair.method_a, pair.init_a), (pair.method_b, pair.init_b)
        if {a, b} != {winner, second}:
            continue
        disciplines += 1
        tested += pd.notna(pair.p_holm)
        possible += could_be_significant(of_panel(pairs, pair.structure, pair.metric))
        if pd.notna(pair.p_holm) and pair.p_holm < LEVEL:
            advantage = labels.improvement(pair.metric, pair.difference) * (
                1 if a == winner else -1
            )
            better, worse = better + (advantage > 0), worse + (advantage < 0)
    name = display.entrant(*second)
    if not disciplines:
        return []
    if not tested:
        return [f"Whether it is better than {name} beyond chance could not be tested."]
    return [
        f"Against {name} it is significantly better in {better} and significantly worse in {worse} "
        f"of {labels.count(tested, 'tested pair')} of structure and metric (Holm-adjusted "
        f"signed-rank tests, level {LEVEL}); with these specimens and entrants {possible} could "
        "have been significant at all."
    ]


def _over_rules(tables: Tables, best: Sequence[Entrant], display: Display) -> list[str]:
    rules = tables["rules"]
    if rules.empty or not best:
        return []
    others = []
    for rule, places in rules.groupby("rule", sort=False):
        first = winners(places)
        if set(first) != set(best):
            many = len(first) > 3
            who = labels.count(len(first), "entrant") if many else _names(first, display)
            others.append(f"under {rule} {who} would {'share' if len(first) > 1 else 'take'} it")
    number = rules["rule"].nunique()
    if not others:
        return [f"All {number} ranking rules agree on first place."]
    return [f"First place depends on the ranking rule: {'; '.join(others)}."]


def _over_profiles(tables: Tables, best: Sequence[Entrant], display: Display) -> list[str]:
    places = tables["profile_places"]
    if places.empty:
        return []
    robust = winners(places.rename(columns={"place_robust": "place"}))
    if set(robust) == set(best):
        return ["With the robust definitions of the metrics, first place is the same."]
    return [
        f"With the robust definitions of the metrics, {_names(robust, display)} would be first."
    ]


def _places(leaderboard: pd.DataFrame) -> dict[Entrant, float]:
    """Places by entrant."""
    return dict(zip(_entrants(leaderboard), leaderboard["place"].astype(float), strict=True))


def _entrants(table: pd.DataFrame) -> list[Entrant]:
    return list(table[["method", "init"]].itertuples(index=False, name=None))


def _names(entrants: Sequence[Entrant], display: Display) -> str:
    return labels.listed([display.entrant(*entrant) for entrant in entrants])


def _place(place: float) -> str:
    return "–" if pd.isna(place) else f"{place:.0f}"


def _percent(share: float) -> str:
    """A share in percent that reads 0 or 100 only where it is exactly that."""
    if 0 < share < 1:
        return f"{float(np.clip(100 * share, 0.1, 99.9)):.3g} %"
    return f"{100 * share:.0f} %"
