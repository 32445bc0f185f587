"""Method files: one YAML a method, config/methods/<name>.yaml."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from .checking import Model, Text
from .edition import Name, ScoredAs


class Capabilities(Model):
    """What a method needs and can do."""

    gpu: bool | Literal["optional"] = Field(
        description="whether its jobs need a GPU; optional: they take one where there is one; "
        "recipes train on a CPU too"
    )
    unannotated: bool = Field(description="whether it learns from unannotated volumes")
    other_data: bool = Field(
        False,
        description="whether it has learnt from images, or starts from weights, that the edition "
        "does not give: out of competition where that admits given data only",
    )
    learns: Literal["per-type", "per-structure", "nothing"] | None = Field(
        None, description="of a rule: what it fits a model to"
    )
    structure_types: Annotated[tuple[ScoredAs, ...], Field(min_length=1)] = Field(
        description="structures that it segments, by how they are scored"
    )


class RecipeSizes(Model):
    """A recipe in full and what is laid over it to train on two CPU cores."""

    production: dict[str, Any] = Field(description="the whole recipe, see below")
    small: dict[str, Any] | None = Field(None, description="what differs at `size: small`")


class ForeignSettings(Model):
    """Settings of masks that someone else made."""

    predictions: Text = Field(description="a folder of masks, or a predictions.json")


class SubmissionSettings(Model):
    """Settings of a program with the interface of the challenge's platform."""

    command: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        description="the program and its arguments"
    )
    minutes: float = Field(gt=0, description="time limit a case")


class MethodFile(Model):
    """One way to segment, as its author describes it."""

    name: Name = Field(description="the same as the file's name")
    title: str = Field(min_length=1, max_length=40, description="for figures and tables")
    kind: Literal["recipe", "rule", "foreign", "submission"] = Field(
        description="`recipe`: settings of this library's training; `rule`: a Snakemake rule of "
        "its own; `foreign`: masks that someone else made; `submission`: a program of the platform"
    )
    idea: str = Field(min_length=20, description="two sentences for its card")
    citation: Text = Field(description="where it was published")
    code: Text | None = Field(None, description="where its code is, if it is not ours")
    commit: Text | None = Field(None, description="the exact commit of that code")
    licence: Text = Field(description="of its code")
    colour: str = Field(pattern=r"^#[0-9A-Fa-f]{6}\Z", description="in figures, such as `#0072B2`")
    runs: Literal["grid", "default"] = Field(
        "grid", description="`grid`: every budget, fold and seed; `default`: one run"
    )
    inits: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        ("scratch",), description="of a rule with `runs: grid`: how its models start"
    )
    capabilities: Capabilities
    environment: (
        Annotated[
            tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*\Z")], ...],
            Field(min_length=1),
        ]
        | None
    ) = Field(None, description="modules that the method's own environment has to import")
    settings: dict[str, Any] | None = Field(
        None,
        description="of a rule: what its code reads, by size if it has `production`; of a "
        "submission `command` and `minutes`; of foreign masks `predictions`",
    )
    recipe: RecipeSizes | None = Field(None, description="of a recipe, by size")

    @model_validator(mode="after")
    def _names_the_version_of_its_code(self) -> Self:
        if self.code and not self.commit:
            raise ValueError("commit: expected the version of the code that `code` names")
        return self


class RecipeFile(MethodFile):
    """A method that is a recipe of this library's training."""

    recipe: RecipeSizes = Field(description="settings by size")


class RuleCapabilities(Capabilities):
    """Capabilities of a method with rules of its own."""

    learns: Literal["per-type", "per-structure", "nothing"] = Field(
        description="what it fits a model to"
    )


class RuleFile(MethodFile):
    """A method that brings Snakemake rules of its own."""

    capabilities: RuleCapabilities


class ForeignFile(MethodFile):
    """Masks that someone else made."""

    runs: Literal["default"] = Field("default", description="one run")
    settings: ForeignSettings


class SubmissionFile(MethodFile):
    """A program of the challenge's platform."""

    runs: Literal["default"] = Field("default", description="one run")
    settings: SubmissionSettings


KINDS = {
    "recipe": RecipeFile,
    "rule": RuleFile,
    "foreign": ForeignFile,
    "submission": SubmissionFile,
}
