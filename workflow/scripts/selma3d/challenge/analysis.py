"""Declared analysis: which gain of pretraining decides, and its margin, fixed before scoring."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from .checking import Count, Model


def _no_structure_twice(structures: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(structures)) < len(structures):
        raise ValueError(f"expected no structure twice, found {list(structures)}")
    return structures


Structures = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_no_structure_twice)]


class Primary(Model):
    """The one comparison that decides: a pretrained network minus the same from scratch."""

    method: str = Field(description="a recipe")
    pretext: str = Field(description="the init that is compared with `scratch`")
    metric: str = Field("dice", description="of the edition's profile")
    budget: Count | Literal["all"] = Field("all", description="training patches a structure")
    structures: Structures | None = Field(
        None,
        description="whose gains are averaged, each with equal weight; none: all that are learnt "
        "from",
    )


class Design(Model):
    """What a declared question is asked of; like the question it is settled before scoring."""

    edition: str = Field(description="its name")
    tested: dict[str, tuple[str, ...]] = Field(
        {}, description="test images of each structure, as far as the samples table names them"
    )
    seeds: tuple[int, ...] = Field((), description="trainings an arm")
    folds: int = Field(1, description="of the training patches")


class Analysis(Model):
    """The question to pretraining, declared before scoring ([how](../docs/gains.md))."""

    primary: Primary = Field(description="the first endpoint")
    margin: float = Field(
        0.02, gt=0, description="in the metric's units: a smaller gain is not worth a pretraining"
    )
    unseen: Structures | None = Field(
        None,
        description="the second endpoint's structures: of another acquisition, or never learnt "
        "from; none: all of the latter",
    )

    declared: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}\Z")] | None = Field(
        None, description='the day on which it was declared, in quotes: `"2026-11-28"`'
    )

    def resolved(self, *, seen: Iterable[str], unseen: Iterable[str]) -> Analysis:
        """The same with all structures named; seen, unseen: those of the edition to choose from."""
        structures = self.primary.structures or tuple(sorted(seen))
        others = self.unseen or tuple(sorted(set(unseen) - set(structures)))
        primary = self.primary.model_copy(update={"structures": structures})
        return self.model_copy(update={"primary": primary, "unseen": others or None})

    def digest(self, design: Design | None = None) -> str:
        """A hash that changes with the question (its day aside) and with what it is asked of.

        Shortened to twelve digits.
        """
        asked = self.model_dump(mode="json", exclude={"declared"})
        whom = design.model_dump(mode="json") if design else None
        plain = json.dumps([asked, whom], sort_keys=True)
        return f"sha256:{hashlib.sha256(plain.encode()).hexdigest()[:12]}"
