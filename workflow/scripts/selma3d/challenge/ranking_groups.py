"""Groups of structures whose mean ranks are averaged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..system.errors import InputError
from .edition import Edition
from .structure import Structure


def ranking_groups(
    edition: Edition, scored: Iterable[Structure], edition_file: Path
) -> dict[str, list[str]]:
    """Names of the scored structures by group.

    Left-out twins are an experiment beside the ranking, not a part of it. Raises InputError unless
    each structure of the edition is in one of the groups that it names, if it names any.
    """
    named = _named_groups(edition, edition_file)
    group_of = {name: group for group, names in named.items() for name in names}
    groups: dict[str, list[str]] = {}
    for structure in scored:
        if not structure.left_out:
            name = structure.name
            group = group_of[name] if named else getattr(structure, edition.ranking.groups_by)
            groups.setdefault(group, []).append(name)
    return groups


def _named_groups(edition: Edition, edition_file: Path) -> dict[str, tuple[str, ...]]:
    """The groups that the edition names; {} where a structure's property decides."""
    groups = edition.ranking.groups or {}
    where = f"{edition_file}: ranking.groups"
    members = [name for names in groups.values() for name in names]
    for name in members:
        if name not in edition.structures:
            raise InputError(f"{where}: {name}: the edition has no such structure")
    for name in edition.structures if groups else ():
        if members.count(name) != 1:
            raise InputError(
                f"{where}: expected {name!r} in one group, found it in {members.count(name)}"
            )
    return groups
