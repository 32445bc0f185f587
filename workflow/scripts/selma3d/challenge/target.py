"""Targets of fine-tuning: the models of each track, what each learns from and segments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..system.errors import InputError
from .run import on_track
from .structure import Structure, unseen

ONE_MODEL = "all"  # the target, and the pretraining group, of the one-model track


@dataclass(frozen=True)
class Target:
    """A fine-tuned model's job: the structures that it learns from and those that it segments."""

    name: str
    track: str
    group: str
    learns: tuple[str, ...]
    segments: tuple[str, ...]

    def run(self, model: str = "{run}") -> str:
        """The name among predictions of the run of a model, or of the wildcard for one."""
        return on_track(model, self.track)

    def without(self, left_out: str) -> Target:
        """The target that never learns one structure and segments it as unseen."""
        return Target(
            name=f"{self.name}-without-{left_out}",
            track=self.track,
            group=self.group,
            learns=tuple(name for name in self.learns if name != left_out),
            segments=(unseen(left_out),),
        )


def targets_of(
    structures: Mapping[str, Structure],
    scored: Collection[str],
    tracks: Collection[str],
    edition_file: Path,
) -> dict[str, Target]:
    """Targets by name, over all tracks in force; left-out ones are for unseen structures.

    Raises InputError where a target has nothing to learn from, or learns from several groups.
    """
    targets = {}
    for track in tracks:
        names = {ONE_MODEL if track == "one-model" else s.target for s in structures.values()}
        for name in sorted(names):
            where = f"{edition_file}: structures: target {name!r}"
            target = _target(name, track, structures, scored, where)
            targets[name] = target
            for left_out in target.learns if len(target.learns) > 1 else ():
                if unseen(left_out) in scored:
                    without = target.without(left_out)
                    targets[without.name] = without
    return targets


def _target(
    name: str,
    track: str,
    structures: Mapping[str, Structure],
    scored: Collection[str],
    where: str,
) -> Target:
    members = [s for s in structures.values() if name in (s.target, ONE_MODEL) and not s.left_out]
    learns = tuple(s.name for s in members if s.seen)
    if not learns:
        raise InputError(f"{where}: expected a structure with seen: true, found none")
    groups = {structures[n].group for n in learns}
    if track == "per-type" and len(groups) > 1:
        raise InputError(
            f"{where}: expected one pretraining group, found {', '.join(sorted(groups))}"
        )
    return Target(
        name=name,
        track=track,
        group=ONE_MODEL if track == "one-model" else groups.pop(),
        learns=learns,
        segments=tuple(s.name for s in members if s.name in scored),
    )
