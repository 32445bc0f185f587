"""An edition of the challenge: its archives, structures, phases, metrics and ranking."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from .checking import Model

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*\Z")]
FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
ScoredAs = Literal["vessel-like", "spot-like"]
Micrometres = Annotated[float, Field(gt=0)]
UNKNOWN = "unknown"  # what an edition file says of what its organisers have not published


class ArchiveSettings(Model):
    """Settings of a source of images, as an edition or a configuration gives them."""

    kind: Literal["biostudies", "urls", "local", "phantom", "slot"] | None = Field(
        None,
        description="`biostudies`: the files that the manifest lists; `urls`: each URL, a zip or "
        "tar unpacked; `local`: the files below a folder; `phantom`: synthetic images, drawn "
        "first; `slot`: nothing, a place for you to fill",
    )
    accession: str | None = Field(None, description="of BioStudies, such as S-BIAD1196")
    roots: tuple[str, ...] | None = Field(
        None, description="mirrors of the accession, tried in turn"
    )
    urls: tuple[str, ...] | None = Field(None, description="addresses of files")
    folder: str | None = Field(None, description="where the files of a `local` source lie")
    manifest: str | None = Field(
        None, description="a table of the files, with sizes and checksums to verify"
    )
    licence: str | None = Field(
        None, description="of the images; stated with all that is made from them"
    )
    phantom: dict[str, Any] | None = Field(
        None, description="of a `phantom`: the structures to draw, and a `seed`"
    )
    note: str | None = Field(None, description="what to do about an empty `slot`")


class Archive(ArchiveSettings):
    """A source of images."""

    kind: Literal["biostudies", "urls", "local", "phantom", "slot"] = ArchiveSettings.model_fields[
        "kind"
    ]
    licence: str = ArchiveSettings.model_fields["licence"]

    @property
    def is_downloaded(self) -> bool:
        """Whether its files come from elsewhere, and could come again."""
        return self.kind in ("biostudies", "urls")


class ImageFolder(Model):
    """A folder of annotated images."""

    archive: str = Field(description="one of the edition's")
    folder: str = Field(description="below the archive, with `raw/` and `gt/`")


class RankingRule(Model):
    """How a leaderboard is made of scores; either `groups` or `groups_by` says what is averaged."""

    rule: Literal["mean-then-rank", "rank-then-mean", "test-then-rank"] = Field(
        description="what comes first: the mean over cases, a rank a case, or a test of each pair"
    )
    groups_by: Literal["scored_as", "group", "target"] | None = Field(
        None, description="a property of structures: those that share it are a group"
    )
    groups: Annotated[dict[Name, tuple[str, ...]], Field(min_length=1)] | None = Field(
        None, description="structures by group, each structure in one"
    )
    note: str | None = Field(None, description="a reservation that is printed with the ranking")

    @model_validator(mode="after")
    def _has_one_way_to_group(self) -> Self:
        if (self.groups is None) == (self.groups_by is None):
            raise ValueError("expected either groups or groups_by")
        return self


class EditionStructure(Model):
    """A biological structure as its edition describes it."""

    title: str = Field(description="for figures and tables")
    group: Name = Field(description="whose volumes pretrain its encoder")
    target: Name = Field(description="the fine-tuned model that segments it")
    scored_as: ScoredAs = Field(description="the kind of its metrics")
    seen: bool = Field(description="whether it has training labels")
    channel: int = Field(ge=0, description="the channel that networks see")
    voxel_size_um: Literal["unknown"] | tuple[Micrometres, Micrometres, Micrometres] = Field(
        description="`[z, y, x]` in micrometres, or `unknown`"
    )
    patches: ImageFolder | None = Field(None, description="its annotated patches")
    cases_of: str | None = Field(
        None, description="the structure whose test cases it is scored on; none: its own"
    )

    @model_validator(mode="after")
    def _learns_from_something(self) -> Self:
        if self.seen and not self.patches:
            raise ValueError("seen: true needs patches (archive and folder)")
        return self


class Phase(Model):
    """A part of a challenge with test cases of its own."""

    ranked: bool = Field(description="whether it decides the challenge")
    submissions: int | None = Field(
        None, ge=1, description="number of submissions allowed to a team"
    )
    cases: dict[str, ImageFolder] = Field(description="test cases by structure")


class Containers(Model):
    """What the containers of an edition's platform read and write."""

    input: str = Field(min_length=1, description="folder below /input, or `unknown`")
    output: (
        Annotated[str, Field(min_length=1)] | dict[ScoredAs, Annotated[str, Field(min_length=1)]]
    ) = Field(description="folder below /output, or one by how structures are scored")


class Edition(Model):
    """A challenge as its organisers, or you, define it."""

    edition: str = Field(description="its name, the same as the file's")
    title: str = Field(description="for the report")
    description: str = Field(description="for the report: two sentences")
    metric_profile: Literal["selma2024", "selma2025", "selma2026", "robust"] = Field(
        description="how metrics are computed: as an edition's organisers do, quirks included, or "
        "`robust`"
    )
    ranking: RankingRule
    archives: dict[FolderName, Archive] = Field(description="sources of images by name")
    structures: Annotated[dict[Name, EditionStructure], Field(min_length=1)] = Field(
        description="what is learnt or scored, by name"
    )
    phases: Annotated[dict[str, Phase], Field(min_length=1)] = Field(
        description="parts of the challenge by name; the configuration chooses one"
    )
    containers: Containers

    @model_validator(mode="after")
    def _refers_to_what_it_has(self) -> Self:
        for name, structure in self.structures.items():
            folders = [
                structure.patches,
                *(phase.cases.get(name) for phase in self.phases.values()),
            ]
            for folder in folders:
                if folder and folder.archive not in self.archives:
                    raise ValueError(f"structures.{name}: no archive {folder.archive!r}")
            if structure.cases_of not in (None, *self.structures):
                raise ValueError(f"structures.{name}.cases_of: no structure {structure.cases_of!r}")
        return self
