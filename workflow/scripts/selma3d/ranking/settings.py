"""What a ranking is asked for: the edition's `ranking` section and the config's, together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..scoring.score_tables import TrackScores
from ..system.errors import InputError
from .rules import RULES


@dataclass(frozen=True)
class RankingSettings:
    """Rule, groups, metric profile and bootstrap of a ranking.

    groups: {group: [structure, ...]}; mean ranks are taken within a group, then over groups.
    training_patches: {structure: size of the whole label budget}, where it is known.
    """

    rule: str
    groups: dict[str, list[str]]
    metric_profile: str
    bootstrap: int = 1000
    seed: int = 0
    training_patches: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any], scores: TrackScores) -> RankingSettings:
        """Read settings; `groups_by: scored_as` derives the groups from the scores.

        Raises InputError naming the key.
        """
        rule = settings.get("rule", "mean-then-rank")
        if rule not in RULES:
            raise InputError(f"ranking: rule: expected one of {', '.join(RULES)}, found {rule!r}")
        if "metric_profile" not in settings:
            raise InputError("ranking: metric_profile: expected the edition's, found none")
        bootstrap = settings.get("bootstrap", 1000)
        if not isinstance(bootstrap, int) or bootstrap < 1:
            raise InputError(f"ranking: bootstrap: expected replicates >= 1, found {bootstrap!r}")
        return cls(
            rule=rule,
            groups=_groups(settings, scores),
            metric_profile=settings["metric_profile"],
            bootstrap=bootstrap,
            seed=settings.get("seed", 0),
            training_patches=settings.get("training_patches", {}),
        )

    @property
    def ranked(self) -> set[str]:
        """Structures that count in the leaderboard."""
        return {structure for members in self.groups.values() for structure in members}


def _groups(settings: Mapping[str, Any], scores: TrackScores) -> dict[str, list[str]]:
    if "groups" in settings:
        groups = {name: list(members) for name, members in settings["groups"].items()}
        members = [structure for group in groups.values() for structure in group]
        twice = {structure for structure in members if members.count(structure) > 1}
        if twice:
            raise InputError(
                f"ranking: groups: expected {min(twice)!r} in one group, found in several"
            )
        return groups
    by = settings.get("groups_by")
    if by != "scored_as":
        raise InputError(f"ranking: groups_by: expected scored_as, or groups by name, found {by!r}")
    kinds = scores.cases[["structure", "scored_as"]].drop_duplicates()
    return {name: sorted(rows["structure"]) for name, rows in kinds.groupby("scored_as")}
