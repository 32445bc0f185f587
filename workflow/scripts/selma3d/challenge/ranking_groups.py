"""Groups of structures whose mean ranks are averaged, and leaderboards of some of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..system.errors import InputError
from ..system.tables import listed
from .checking import nearest
from .edition import Edition, FurtherLeaderboard
from .structure import Structure


def ranking_groups(
    edition: Edition, scored: Iterable[Structure], edition_file: Path
) -> dict[str, list[str]]:
    """Names of the scored structures by group.

    Left-out twins are an experiment beside the ranking, not a part of it. Raises InputError unless
    each of the others is in one of the groups that the edition names, if it names any.
    """
    scored = [structure for structure in scored if not structure.left_out]
    named = _named_groups(edition, [structure.name for structure in scored], edition_file)
    group_of = {name: group for group, names in named.items() for name in names}
    groups: dict[str, list[str]] = {}
    for structure in scored:
        name = structure.name
        group = group_of[name] if named else getattr(structure, edition.ranking.groups_by)
        groups.setdefault(group, []).append(name)
    return groups


def further_leaderboards(edition: Edition, edition_file: Path) -> dict[str, FurtherLeaderboard]:
    """The edition's further leaderboards by name.

    Raises InputError where one names a group that the ranking does not have, or where its types do
    not hold each group once.
    """
    rule = edition.ranking
    known = rule.groups or {
        getattr(structure, rule.groups_by) for structure in edition.structures.values()
    }
    for name, leaderboard in rule.leaderboards.items():
        where = f"{edition_file}: ranking.leaderboards.{name}"
        for group in leaderboard.groups or ():
            if group not in known:
                hint = nearest(group, sorted(known))
                raise InputError(f"{where}.groups: no group {group!r}{hint}")
        members = [group for groups in (leaderboard.types or {}).values() for group in groups]
        if leaderboard.types is not None and sorted(members) != sorted(known):
            raise InputError(
                f"{where}.types: expected each of {listed(sorted(known))} once, "
                f"found {listed(sorted(members)) or 'none'}"
            )
    return rule.leaderboards


def _named_groups(
    edition: Edition, scored: Iterable[str], edition_file: Path
) -> dict[str, tuple[str, ...]]:
    """The groups that the edition names; {} where a structure's property decides."""
    groups = edition.ranking.groups or {}
    where = f"{edition_file}: ranking.groups"
    members = [name for names in groups.values() for name in names]
    for name in members:
        if name not in edition.structures:
            raise InputError(f"{where}: {name}: the edition has no such structure")
    for name in dict.fromkeys([*members, *scored]) if groups else ():
        if members.count(name) != 1:
            raise InputError(
                f"{where}: expected {name!r} in one group, found it in {members.count(name)}"
            )
    return groups
