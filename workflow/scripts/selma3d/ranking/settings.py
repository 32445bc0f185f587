"""Settings of a ranking: its rule, its groups of structures, its bootstrap."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from ..challenge.analysis import Analysis, Design
from ..challenge.checking import Model
from ..challenge.controls import Control
from ..challenge.edition import FurtherLeaderboard
from ..scoring.score_tables import TrackScores
from .ranking_rules import RULES

Groups = dict[str, tuple[str, ...]]  # structures by group


def _known(rule: str) -> str:
    if rule not in RULES:
        raise ValueError(f"expected one of {', '.join(RULES)}, found {rule!r}")
    return rule


def _no_structure_twice(groups: Groups | None) -> Groups | None:
    members = [structure for group in (groups or {}).values() for structure in group]
    twice = {structure for structure in members if members.count(structure) > 1}
    if twice:
        raise ValueError(f"expected {min(twice)!r} in one group, found in several")
    return groups


class RankingSettings(Model):
    """What a ranking depends on besides its scores."""

    rule: Annotated[str, AfterValidator(_known)] = Field(
        "mean-then-rank", description="how scores of cases become ranks"
    )
    groups: Annotated[Groups | None, AfterValidator(_no_structure_twice)] = Field(
        None,
        description="mean ranks are taken within a group, then over groups; none: a group a "
        "structure type",
    )
    leaderboards: dict[str, FurtherLeaderboard] = Field(
        {}, description="the edition's further ones, by name"
    )
    without_labels: tuple[str, ...] = Field(
        (), description="methods that learn from unannotated images, whatever they start from"
    )
    of_other_data: tuple[str, ...] = Field(
        (), description="methods that learnt from images which the edition does not give"
    )
    metric_profile: str = Field(description="the edition's")
    bootstrap: int = Field(1000, ge=1, description="replicates")
    seed: int = Field(0, description="of the bootstrap's draws")
    analysis: Analysis | None = Field(
        None, description="the declared question; none: all gains are exploratory"
    )
    design: Design | None = Field(None, description="what the declared question is asked of")
    controls: dict[str, Control] = Field(
        {}, description="comparisons with known answers, each judged by itself"
    )
    targets: dict[str, str] = Field(
        {}, description="the fine-tuned model that segments a structure, where it is known"
    )
    exact_labels: bool = Field(
        False, description="drawn together with synthetic images, so that none is doubtful"
    )
    other_acquisitions: tuple[str, ...] = Field(
        (), description="structures that show what a learnt one does, acquired in another way"
    )
    training_patches: dict[str, int] = Field(
        {}, description="size of the whole label budget by structure, where it is known"
    )

    def groups_of(self, scores: TrackScores) -> Groups:
        """The groups of structures, by type where the settings name none."""
        if self.groups is not None:
            return self.groups
        kinds = scores.cases[["structure", "scored_as"]].drop_duplicates()
        return {name: tuple(sorted(rows["structure"])) for name, rows in kinds.groupby("scored_as")}
