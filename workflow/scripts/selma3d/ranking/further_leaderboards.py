"""Further leaderboards of an edition: of some entrants or groups alone, or averaged differently.

An entrant stands on those for whose structures it has predicted anything. Ranks are those among the
entrants of a leaderboard.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import pandas as pd

from ..challenge.edition import FurtherLeaderboard
from ..challenge.encoder import PACKED
from ..challenge.run import is_pretrained
from ..scoring.metrics import METRICS
from ..scoring.score_tables import ENTRANT
from .aggregation import Settled
from .bootstrap import Bootstrap
from .discipline import Discipline, Entrant
from .leaderboard import interval_reasons, place_interval, rank
from .settings import Groups, RankingSettings
from .tables import table


def further_leaderboards_table(
    disciplines: Sequence[Discipline],
    groups: Groups,
    settled: Settled,
    settings: RankingSettings,
    resampling: Bootstrap,
) -> pd.DataFrame:
    """A row an entrant of each further leaderboard, in the edition's order, best first.

    disciplines: those of the first leaderboard. groups: its groups. settled: its values.
    """
    predicted = settled.values[~settled.values["absent"]]
    segmented = {
        entrant: set(rows["structure"]) for entrant, rows in predicted.groupby(ENTRANT, sort=False)
    }
    rows: list[dict[str, object]] = []
    for name, leaderboard in settings.leaderboards.items():
        chosen = {g: groups[g] for g in leaderboard.groups or groups if g in groups}
        structures = {structure for members in chosen.values() for structure in members}
        entrants = [
            entrant
            for entrant, own in segmented.items()
            if own & structures and is_on(leaderboard, entrant, settings)
        ]
        shown = of_entrants([d for d in disciplines if d.structure in structures], entrants)
        rows += _rows(name, leaderboard, chosen, shown, settings.rule, resampling)
    return table("further_leaderboards", rows).astype({"place": "Int64", "cases": "Int64"})


def is_on(leaderboard: FurtherLeaderboard, entrant: Entrant, settings: RankingSettings) -> bool:
    """Whether an entrant belongs to a leaderboard, by what it has learnt from."""
    method, init = entrant[:2]
    if leaderboard.given_data and (init.startswith(PACKED) or method in settings.of_other_data):
        return False
    learns_without_labels = is_pretrained(init) or method in settings.without_labels
    return leaderboard.self_supervised in (None, learns_without_labels)


def of_entrants(
    disciplines: Sequence[Discipline], entrants: Collection[Entrant]
) -> list[Discipline]:
    """The same disciplines among some of their entrants."""
    if not entrants:
        return []
    shown = []
    for discipline in disciplines:
        kept = [n for n, entrant in enumerate(discipline.entrants) if entrant in entrants]
        seeds = discipline.seeds[kept]
        shown.append(
            replace(
                discipline,
                entrants=tuple(discipline.entrants[n] for n in kept),
                values=discipline.values[:, kept, : seeds.max()],
                seeds=seeds,
            )
        )
    return shown


def pooled(disciplines: Sequence[Discipline]) -> list[Discipline]:
    """Disciplines over the cases of all structures that are scored alike, named after the type.

    Each case weighs the same, whatever its structure. Seeds are averaged beforehand.
    Source: the aggregates of the organisers' scorer of 2026, isolated and contiguous.
    """
    found = []
    ordered = sorted(disciplines, key=lambda d: d.scored_as)
    for scored_as, alike in groupby(ordered, key=lambda d: d.scored_as):
        members = list(alike)
        units: dict[str, list[str]] = {
            d.structure: [f"{d.structure}/{unit}" for unit in d.unit_names] for d in members
        }
        names = tuple(unit for own in units.values() for unit in own)
        for metric in METRICS:
            parts = [d for d in members if d.metric == metric]
            if parts:
                found.append(_joined(parts, scored_as, names, units))
    return found


def _joined(
    parts: Sequence[Discipline],
    scored_as: str,
    names: tuple[str, ...],
    units: Mapping[str, Sequence[str]],
) -> Discipline:
    """One discipline of the same metric on several structures; names: of all their units."""
    positions = {name: n for n, name in enumerate(names)}
    return replace(
        parts[0],
        structure=scored_as,
        seen=all(d.seen for d in parts),
        known_specimens=all(d.known_specimens for d in parts),
        cases=tuple(f"{d.structure}/{case}" for d in parts for case in d.cases),
        units=np.array([positions[units[d.structure][unit]] for d in parts for unit in d.units]),
        unit_names=names,
        values=np.concatenate([d.case_values() for d in parts])[:, :, None],
        seeds=np.ones_like(parts[0].seeds),
    )


def _rows(
    name: str,
    leaderboard: FurtherLeaderboard,
    groups: Groups,
    disciplines: Sequence[Discipline],
    rule: str,
    resampling: Bootstrap,
) -> list[dict[str, object]]:
    cases = len({(d.structure, case) for d in disciplines for case in d.cases})
    if leaderboard.pooled:
        disciplines = pooled(disciplines)
        groups = {d.structure: (d.structure,) for d in disciplines}
    ranks = rank(disciplines, groups, rule, types=leaderboard.types)
    replicates = rank(disciplines, groups, rule, resampling, leaderboard.types)
    low, high = place_interval(replicates, given=not interval_reasons(disciplines))
    rows = [
        {
            "leaderboard": name,
            "title": leaderboard.title,
            "place": ranks.places[0, n],
            "method": method,
            "init": init,
            "mean_rank": ranks.mean_rank[0, n],
            "cases": cases,
            "place_low": low[n],
            "place_high": high[n],
        }
        for n, (method, init) in enumerate(ranks.entrants)
    ]
    return sorted(rows, key=lambda row: (row["place"], row["method"], row["init"]))
