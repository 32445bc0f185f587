"""An edition of the challenge: its archives, structures, phases, metrics and ranking."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from .checking import (
    Count,
    Faults,
    Model,
    Number,
    Positive,
    Text,
    check,
    load_yaml,
    nearest,
    salvaged,
)

# Programs that read tables take `nan` and `null` for missing values.
Name = Annotated[str, Field(pattern=r"^(?!(?:nan|null)\Z)[a-z0-9][a-z0-9-]*\Z")]
FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")]
ScoredAs = Literal["vessel-like", "spot-like"]
VoxelSize = tuple[Positive, Positive, Positive]  # (z,y,x) in micrometres
UNKNOWN = "unknown"  # in an edition file: not published by its organisers


class ArchiveSettings(Model):
    """Settings of a source of images, as an edition or a configuration gives them."""

    kind: Literal["biostudies", "zenodo", "urls", "local", "phantom", "slot"] | None = Field(
        None,
        description="`biostudies`: the files that the manifest lists; `zenodo`: those of a record, "
        "archives left packed; `urls`: each URL, a zip or tar unpacked; `local`: the files below a "
        "folder, read where they lie; `phantom`: synthetic images, drawn first; `slot`: nothing, a "
        "place for you to fill",
    )
    accession: str | None = Field(None, description="of BioStudies, such as S-BIAD1196")
    roots: tuple[str, ...] | None = Field(
        None,
        description="mirrors of the accession, tried in turn; of a `zenodo` source: the interface "
        "that serves its record, if not Zenodo's own",
    )
    record: str | None = Field(None, description="the number of a Zenodo record")
    files: tuple[str, ...] | None = Field(
        None, description="of the record; none: all that its manifest lists"
    )
    urls: tuple[str, ...] | None = Field(None, description="addresses of files")
    folder: str | None = Field(None, description="where the files of a `local` source lie")
    links: tuple[str, ...] | None = Field(
        None,
        description="further folders that links in a `local` source may lead to; links that stay "
        "in its own folder may always",
    )
    manifest: str | None = Field(
        None,
        description="a table of the files, with sizes and checksums to verify what is downloaded",
    )
    list_first: bool | None = Field(
        None,
        description="of `biostudies` and `zenodo`: a run first asks the archive for its list of "
        "files, and keeps that beside the images; for a manifest that is absent or not complete "
        "(`make manifest` completes it for good)",
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

    kind: Literal["biostudies", "zenodo", "urls", "local", "phantom", "slot"] = (
        ArchiveSettings.model_fields["kind"]
    )
    licence: str = Field(
        "not stated", description=ArchiveSettings.model_fields["licence"].description
    )

    @property
    def is_downloaded(self) -> bool:
        """Whether its files come from elsewhere, and could come again."""
        return self.kind in ("biostudies", "zenodo", "urls")

    @property
    def is_listed_first(self) -> bool:
        """Whether a run asks the archive for its files before it downloads them."""
        return bool(self.list_first) and self.kind in ("biostudies", "zenodo")

    @property
    def is_read_in_place(self) -> bool:
        """Whether its files are read where they lie: nothing is fetched, copied or linked."""
        return self.kind == "local"


class ImageFolder(Model):
    """A folder of annotated images."""

    archive: str = Field(description="one of the edition's")
    folder: str = Field(description="below the archive, with `raw/` and `gt/`")


class FurtherLeaderboard(Model):
    """A leaderboard beside the first: of some groups or entrants alone, or averaged differently."""

    title: str = Field(min_length=1, description="for the report, and its tables")
    groups: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None, description="groups of the ranking that count; none: all"
    )
    self_supervised: bool | None = Field(
        None,
        description="whether its entrants learn from images without labels (they start from an "
        "encoder, or their method reads unannotated images): only those, or only the others; none: "
        "all",
    )
    given_data: bool = Field(
        False,
        description="only entrants that start from no weights made elsewhere, of methods without "
        "`other_data`",
    )
    types: dict[str, tuple[str, ...]] | None = Field(
        None,
        description="groups by type: mean ranks are averaged over the groups of a type, then over "
        "types; none: over all groups at once",
    )
    pooled: bool = Field(
        False,
        description="means are taken over the cases of all structures that are scored alike, "
        "which are the groups then",
    )

    @model_validator(mode="after")
    def _averages_in_one_way(self) -> Self:
        if self.pooled and (self.types or self.groups):
            raise ValueError("pooled: expected neither groups nor types beside it")
        return self


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
    leaderboards: dict[Name, FurtherLeaderboard] = Field(
        default_factory=dict, description="further ones beside the first, by name"
    )
    note: str | None = Field(None, description="a reservation that is printed with the ranking")

    @model_validator(mode="after")
    def _has_one_way_to_group(self) -> Self:
        if (self.groups is None) == (self.groups_by is None):
            raise ValueError("expected either groups or groups_by")
        return self


Shape = tuple[Count, Count, Count]


class Published(Model):
    """How many images of a structure its organisers state; `make estimate` reckons with them."""

    channels: Count = Field(1, description="of every image")
    patches: Number | None = Field(None, description="annotated ones for training")
    patch_shape: Shape | None = Field(None, description="voxels (z,y,x), of cases too")
    cases: dict[str, Number] = Field(
        default_factory=dict, description="test cases by phase, such as `{final: 5}`"
    )
    volumes: Count | None = Field(None, description="images without annotation")
    volume_shape: Shape | None = Field(None, description="voxels (z,y,x), or the fewest stated")
    crops: Count | None = Field(
        None, description="patches that the unannotated images are handed out as, about"
    )
    crop_shape: Shape | None = Field(None, description="voxels (z,y,x) of such a patch")


class EditionStructure(Model):
    """A biological structure as its edition describes it."""

    title: str | None = Field(None, description="for figures and tables; none: its name")
    group: Name | None = Field(
        None, description="whose volumes pretrain its encoder; none: its own"
    )
    target: Name | None = Field(
        None, description="the fine-tuned model that segments it; none: its group's"
    )
    scored_as: ScoredAs = Field(description="the kind of its metrics")
    seen: bool | None = Field(
        None, description="whether it has training labels; none: if it has annotated patches"
    )
    channel: int = Field(0, ge=0, description="the channel that networks see")
    voxel_size_um: Literal["unknown"] | VoxelSize = Field(
        UNKNOWN, description="`[z, y, x]` in micrometres, or `unknown`"
    )
    patches: ImageFolder | None = Field(
        None,
        description="its annotated patches; not needed where rows of the samples table name them",
    )
    published: Published = Field(
        default_factory=Published, description="how many images there are, as far as is known"
    )
    other_acquisition_of: str | None = Field(
        None,
        description="the structure of the edition that its images show too, by another microscope, "
        "staining or laboratory: shown as `other acquisition`, not as unseen; it has no training "
        "labels",
    )
    cases_of: str | None = Field(
        None, description="the structure whose test cases it is scored on; none: its own"
    )


class Phase(Model):
    """A part of a challenge with test cases of its own."""

    ranked: bool = Field(True, description="whether it decides the challenge")
    submissions: int | None = Field(
        None, ge=1, description="number of submissions allowed to a team"
    )
    cases: dict[str, ImageFolder] = Field(
        default_factory=dict,
        description="test cases by structure; not needed where rows of the samples table name them",
    )


class Containers(Model):
    """What the containers of an edition's platform read and write."""

    kind: Literal["process", "server"] = Field(
        "process",
        description="`process`: it is started for each image; `server`: once, and called for each",
    )
    inputs_key: Literal["interface", "socket"] | None = Field(
        None, description="the key under which /input/inputs.json names inputs; none: no such file"
    )
    input: str = Field(UNKNOWN, min_length=1, description="folder below /input, or `unknown`")
    output: Text | dict[ScoredAs, Text] = Field(
        UNKNOWN, description="folder below /output, or one by how structures are scored"
    )


class Edition(Model):
    """A challenge as its organisers, or you, define it; only archives and structures are needed."""

    edition: str | None = Field(None, description="its name; the file's counts")
    title: str = Field("Images of our own", description="for the report")
    description: str = Field("", description="for the report: two sentences")
    metric_profile: Literal["selma2024", "selma2025", "selma2026", "robust"] = Field(
        "robust",
        description="how metrics are computed: as an edition's organisers do, quirks included, or "
        "`robust`",
    )
    ranking: RankingRule = Field(
        default_factory=lambda: RankingRule(rule="mean-then-rank", groups_by="scored_as"),
        description="how a leaderboard is made of scores; none: `mean-then-rank` by `scored_as`",
    )
    given_data_only: bool = Field(
        False,
        description="whether its rule admits no other images: entrants that start from weights "
        "made elsewhere, or whose method has `other_data`, are then marked as out of competition",
    )
    archives: dict[FolderName, Archive] = Field(description="sources of images by name")
    structures: Annotated[dict[Name, EditionStructure], Field(min_length=1)] = Field(
        description="what is learnt or scored, by name"
    )
    recipe_overrides: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="what its images ask of recipes, such as a smaller window; laid over them "
        "before the configuration's own `recipe_overrides`",
    )
    phases: Annotated[dict[str, Phase], Field(min_length=1)] = Field(
        default_factory=lambda: {"final": Phase()},
        description="parts of the challenge by name; the configuration chooses one; none: `final`",
    )
    containers: Containers = Field(
        default_factory=Containers,
        description="what the containers of its platform read and write; needed for those alone",
    )


@dataclass(frozen=True)
class ReadEdition:
    """What could be read of an edition file, and the names in it, also where it is faulty."""

    edition: Edition | None
    structures: tuple[str, ...] | None = None
    archives: tuple[str, ...] | None = None


def read_edition(file: Path, faults: Faults) -> ReadEdition:
    """Read `config/editions/<edition>.yaml`; what is wrong with it goes to `faults`."""
    content: dict[str, Any] | None = None
    with faults.noted():
        content = load_yaml(file)
    if content is None:
        return ReadEdition(None)
    edition = None
    with faults.noted():
        edition = check(Edition, content, file)
    for fault in _wrong_references(content):
        faults.note(f"{file}: {fault}")
    names = (
        tuple(content[key]) if isinstance(content.get(key), Mapping) else None
        for key in ("structures", "archives")
    )
    return ReadEdition(edition or salvaged(Edition, content), *names)


def completed(edition: Edition, with_patches: Collection[str]) -> Edition:
    """The edition with the keys of structures that were left out, as their descriptions say.

    with_patches: structures whose annotated patches the samples table names.
    """
    structures = {}
    for name, structure in edition.structures.items():
        group = structure.group or name
        has_patches = structure.patches is not None or name in with_patches
        own = {
            "title": structure.title or name.replace("-", " ").capitalize(),
            "group": group,
            "target": structure.target or group,
            "seen": has_patches if structure.seen is None else structure.seen,
        }
        structures[name] = structure.model_copy(update=own)
    return edition.model_copy(update={"structures": structures})


def _wrong_references(content: Mapping[str, Any]) -> Iterator[str]:
    """A line for each archive or structure that is named but not defined, in unchecked content."""
    archives, structures, phases = (
        content.get(key) if isinstance(content.get(key), Mapping) else {}
        for key in ("archives", "structures", "phases")
    )
    folders = {}
    for name, structure in structures.items():
        if isinstance(structure, Mapping):
            folders[f"structures.{name}.patches"] = structure.get("patches")
            for key in ("cases_of", "other_acquisition_of"):
                other = structure.get(key)
                if isinstance(other, str) and other not in structures:
                    hint = nearest(other, list(structures))
                    yield f"structures.{name}.{key}: no structure {other!r}{hint}"
            if structure.get("other_acquisition_of") and structure.get("seen") is True:
                yield (
                    f"structures.{name}.other_acquisition_of: expected a structure without "
                    "training labels, found seen: true (leave one of the two out)"
                )
    for phase, described in phases.items():
        cases = described.get("cases") if isinstance(described, Mapping) else None
        for name, folder in cases.items() if isinstance(cases, Mapping) else ():
            folders[f"phases.{phase}.cases.{name}"] = folder
    for key, folder in folders.items():
        archive = folder.get("archive") if isinstance(folder, Mapping) else None
        if isinstance(archive, str) and archive not in archives:
            yield f"{key}.archive: no archive {archive!r}{nearest(archive, list(archives))}"
