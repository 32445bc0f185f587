"""What a challenge consists of: structures, targets, methods."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Structure:
    """A biological structure: where its images are, who segments it, how it is scored."""

    name: str
    group: str
    target: str
    scored_as: str
    seen: bool
    channel: int
    voxel_size_um: tuple[float, ...] | None
    patches: dict[str, str] | None
    cases: dict[str, str] | None
    cases_of: str  # the structure whose test cases it is scored on; usually itself
    left_out: bool = False  # a twin of `cases_of` that the models asked have never learnt

    @property
    def description(self) -> dict[str, Any]:
        """What a score table says of the structure."""
        return {"structure": self.name, "scored_as": self.scored_as, "seen": self.seen}


@dataclass(frozen=True)
class Target:
    """A fine-tuned model's job: the structures that it learns from and those that it segments."""

    name: str
    track: str
    group: str
    learns: tuple[str, ...]
    segments: tuple[str, ...]

    @property
    def suffix(self) -> str:
        """What tells its predictions from those of the other track."""
        return "-one" if self.track == "one-model" else ""


OF_VOLUMES = ("volumes", "groups")  # a pretext's keys that say what it learns from


@dataclass(frozen=True)
class Method:
    """One file of config/methods: a recipe, a rule of its own, or masks that someone else made."""

    name: str
    file: Path
    settings: dict[str, Any] = field(repr=False)
    recipe: dict[str, Any] = field(repr=False)  # with the size's overrides applied; {} if none
    rules: Path | None = None  # the .smk file that a method of kind rule brings
    pins: Path | None = None  # what is installed into its own environment, if it has one

    @property
    def is_recipe(self) -> bool:
        return self.settings["kind"] == "recipe"

    @property
    def is_foreign(self) -> bool:
        return self.settings["kind"] == "foreign"

    @property
    def is_submission(self) -> bool:
        return self.settings["kind"] == "submission"

    @property
    def pretexts(self) -> tuple[str, ...]:
        return tuple(self.recipe.get("pretexts", {}))

    def pretraining_recipe(self, pretext: str) -> dict[str, Any]:
        """The part of a recipe that an encoder depends on, beside its volumes, and no more."""
        settings = self.recipe["pretexts"][pretext]
        return {
            "recipe_version": self.recipe["recipe_version"],
            "network": self.recipe["network"],
            "input": self.recipe["input"],
            "pretext": {k: v for k, v in settings.items() if k not in OF_VOLUMES},
        }

    def finetuning_recipe(self) -> dict[str, Any]:
        """The part of a recipe that a fine-tuned model depends on, and no more."""
        steps = [pretext["steps"] for pretext in self.recipe["pretexts"].values()]
        return {
            "recipe_version": self.recipe["recipe_version"],
            "network": self.recipe["network"],
            "input": self.recipe["input"],
            "finetune": self.recipe["finetune"],
            "pretraining_steps": max(steps, default=0),  # what `scratch-long` trains in addition
        }

    def segments(self, structure: Structure) -> bool:
        """Whether the method claims the structure's type."""
        return structure.scored_as in self.settings["capabilities"]["structure_types"]


def layer(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay `above` over `below`, mappings key by key, anything else replaced."""
    merged = copy.deepcopy(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = layer(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged
