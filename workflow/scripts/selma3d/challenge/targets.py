"""What there is to fine-tune: models by target, what each learns from and what it segments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..system.errors import InputError
from .parts import Structure, Target

ONE_MODEL = "all"  # the target, and the pretraining group, of the one-model track


def targets_of_tracks(
    structures: Mapping[str, Structure],
    scored: Collection[str],
    config: Mapping[str, Any],
    edition_file: Path,
) -> dict[str, Target]:
    """Targets by name, over all tracks in force; left-out ones are for unseen structures.

    Raises InputError where a target has nothing to learn from, or no encoder of one group.
    """
    targets = {}
    for track in config["tracks"]:
        names = {ONE_MODEL if track == "one-model" else s.target for s in structures.values()}
        for name in sorted(names):
            where = f"{edition_file}: structures: target {name!r}"
            target = _target(name, track, structures, scored, where)
            targets[name] = target
            if config["leave_one_structure_out"] and len(target.learns) > 1:
                targets |= _left_out_targets(target, scored)
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
        raise InputError(f"{where}: none is seen: true")
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


def _left_out_targets(target: Target, scored: Collection[str]) -> dict[str, Target]:
    return {
        f"{target.name}-without-{left_out}": Target(
            name=f"{target.name}-without-{left_out}",
            track=target.track,
            group=target.group,
            learns=tuple(n for n in target.learns if n != left_out),
            segments=(f"{left_out}-unseen",),
        )
        for left_out in target.learns
        if f"{left_out}-unseen" in scored
    }
