"""Structures of an edition, and their copies that are left out of training and scored as unseen."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from ..system.errors import InputError
from .edition import UNKNOWN, Edition, ImageFolder, ScoredAs

SEEN, NEVER_SEEN, OTHER_ACQUISITION = "seen", "unseen", "other acquisition"
UNSEEN = "-unseen"  # ends the name of a left-out twin


@dataclass(frozen=True)
class Structure:
    """A biological structure: where its images are, who segments it, how it is scored."""

    name: str
    group: str
    target: str
    scored_as: ScoredAs
    seen: bool
    channel: int
    voxel_size_um: tuple[float, float, float] | None
    patches: ImageFolder | None
    cases: ImageFolder | None
    has_patches: bool  # in a folder, or named in the samples table
    has_cases: bool
    cases_of: str  # the structure whose test cases it is scored on; usually itself
    left_out: bool = False  # a twin of `cases_of`, which its models have never learnt

    @property
    def description(self) -> dict[str, str | bool]:
        """What a score table says of the structure."""
        return {"structure": self.name, "scored_as": self.scored_as, "seen": self.seen}

    def unseen(self) -> Structure:
        """Its left-out twin: the same cases, for models that never learnt the structure."""
        name = unseen(self.name)
        nothing = {"patches": None, "cases": None, "has_patches": False, "has_cases": False}
        return replace(self, name=name, seen=False, left_out=True, **nothing)


def unseen(name: str) -> str:
    """The name of a structure's left-out twin."""
    return f"{name}{UNSEEN}"


def relation(name: str, seen: bool, other_acquisitions: Collection[str]) -> str:
    """What a structure is to the models that segment it: seen, unseen, or another acquisition."""
    if seen:
        return SEEN
    return OTHER_ACQUISITION if name in other_acquisitions else NEVER_SEEN


def original(name: str) -> str:
    """The structure that a left-out twin copies; any other name as it is."""
    return name.removesuffix(UNSEEN)


def structures_of(
    edition: Edition,
    phase: str,
    test_cases: str,
    left_out_on: Collection[str] | None = None,
    named: Collection[tuple[str, str]] = (),
) -> dict[str, Structure]:
    """Structures that are learnt or scored, by name.

    edition: a completed one. test_cases: `archive` for the phase's own. left_out_on: the tracks
    whose models leave each structure out in turn; None for no twins. named: structure and kind of
    the images that the samples table names. Raises InputError for an unknown phase.
    """
    if phase not in edition.phases:
        known = ", ".join(edition.phases)
        raise InputError(f"config: phase: expected one of {known}, found {phase!r}")
    given = test_cases == "archive"
    cases = edition.phases[phase].cases if given else {}
    structures = {}
    for name, described in edition.structures.items():
        size = described.voxel_size_um
        structures[name] = Structure(
            name=name,
            group=described.group,
            target=described.target,
            scored_as=described.scored_as,
            seen=described.seen,
            channel=described.channel,
            voxel_size_um=None if size == UNKNOWN else size,
            patches=described.patches,
            cases=cases.get(name),
            has_patches=described.patches is not None or (name, "patch") in named,
            has_cases=name in cases or (given and (name, "case") in named),
            cases_of=described.cases_of or name,
        )
    if left_out_on is None:
        return structures
    seen = [structure for structure in structures.values() if structure.seen]
    twins = [
        structure.unseen()
        for structure in seen
        if (len(seen) > 1 and "one-model" in left_out_on)
        or sum(other.target == structure.target for other in seen) > 1
    ]
    return structures | {twin.name: twin for twin in twins}
