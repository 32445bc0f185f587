"""Samples table of an edition: one row an image, with its specimen, its role and its files."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from .checking import Faults, Model, nearest, read_table
from .edition import ReadEdition, VoxelSize

log = logging.getLogger(__name__)

MEMBERS = "::"  # between a folder or tar and the pattern of the patches in it


class Sample(Model):
    """One image of config/samples/<edition>.tsv; cells are empty where absent."""

    structure: str = Field(min_length=1, description="one of the edition's")
    kind: Literal["volume", "collection", "patch", "case"] = Field(
        description="unannotated volume, collection of unannotated patches, annotated patch or "
        "test case"
    )
    sample: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z", description="its name among those of its kind"
    )
    specimen: str = Field(
        description="the animal or organ it comes from; empty for a collection: each of its source "
        "volumes is a specimen of that name"
    )
    role: Literal["", "training", "validation", "test"] = Field(
        description="what it is for; empty: the split decides. No encoder learns from a volume "
        "whose role is `validation` or `test`; it can be segmented"
    )
    archive: str = Field(description="one of the edition's")
    image: str = Field(
        description="path in the archive: a file, a folder, or a pattern of planes such as "
        "`brain1/*_C00_*.tif`; several, a channel each, are separated by commas. Of a collection: "
        "folders or tar files, and after `::` a pattern of the patches in one, such as "
        "`patches.tar.gz::*/vessels/*.nii.gz`"
    )
    mask: str = Field(description="path in the archive")
    group: str = Field(
        "",
        description="what a volume's specimen belongs to, such as a treatment or an age; the "
        "table over all brains has means by group",
    )
    channel: str = Field(
        "",
        description="number (from 0) or name of the image's channel that networks see; empty: the "
        "structure's",
    )
    volume: str = Field(
        "",
        description="of a collection: a regular expression with a group `volume`, which finds the "
        "source volume's name in a patch's path, such as `(?P<volume>[^/]+)_p[0-9]+`; empty: the "
        "patch's folder is its name",
    )
    voxel_size_um: VoxelSize | None = Field(
        None,
        description="`z y x` in micrometres; empty: as the image's header states, or else its "
        "structure",
    )

    @field_validator("*", mode="before")
    @classmethod
    def _stripped(cls, value: Any) -> Any:
        return value.strip() if isinstance(value, str) else value

    @field_validator("specimen")
    @classmethod
    def _as_it_looks(cls, value: str) -> str:
        # Else an animal could stand on both sides of a split, under two names that look the same.
        seen = "".join(sign for sign in value if unicodedata.category(sign) != "Cf")
        return unicodedata.normalize("NFC", seen).strip()

    @field_validator("voxel_size_um", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return tuple(value) if isinstance(value, list) else value
        if not value.strip():
            return None
        try:
            return tuple(float(word) for word in re.split(r"[\s,;x×]+", value.strip("[]() ")))
        except ValueError:
            return value  # not numbers: the check of the field's type says so

    @field_validator("volume")
    @classmethod
    def _has_the_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"expected a regular expression ({error})") from None
        if value and "volume" not in groups:
            raise ValueError("expected a group (?P<volume>…)")
        return value

    @property
    def is_unannotated(self) -> bool:
        """Whether encoders may learn from it."""
        return self.kind in ("volume", "collection")

    @property
    def places(self) -> tuple[str, ...]:
        """Files, folders and patterns of files in the archive that its images come from."""
        return tuple(name.partition(MEMBERS)[0] for name in self.images)

    @property
    def images(self) -> tuple[str, ...]:
        """The files, folders or patterns that the image's channels lie in."""
        return tuple(name.strip() for name in self.image.split(",") if name.strip())

    @property
    def is_trained_on(self) -> bool:
        """Whether models learn from it for certain, not only where a split says so."""
        return self.role == "training" or (self.is_unannotated and not self.role)


def _lines(file: Path, rows: int) -> list[int]:
    from ..system.tables import row_lines  # pandas, which other models do without

    return row_lines(file, rows) if rows else []


def read_samples(file: Path, edition: ReadEdition, faults: Faults) -> tuple[Sample, ...]:
    """Read `config/samples/<edition>.tsv`; what is wrong with it goes to `faults`.

    Faults are names that the edition does not know, an image that stands twice, and a specimen that
    is both trained on and held out.
    """
    samples: tuple[Sample, ...] = ()
    with faults.noted():
        samples = read_table(file, Sample)
    for number, sample in zip(_lines(file, len(samples)), samples, strict=True):
        for column, name, known in (
            ("structure", sample.structure, edition.structures),
            ("archive", sample.archive, edition.archives),
        ):
            if known is not None and name and name not in known:
                hint = nearest(name, known)
                faults.note(f"{file}, line {number}: {column}: the edition has no {name!r}{hint}")
    for key, times in Counter((s.kind, s.sample, s.structure) for s in samples).items():
        if times > 1:
            faults.note(f"{file}: {key[0]} {key[1]!r} of {key[2]} stands {_times(times)}")
    for alike in _alike({sample.specimen for sample in samples}):
        log.warning("%s: specimens %s differ in case only: taken for several", file, alike)
    for kind, structure in sorted({(s.kind, s.structure) for s in samples}):
        names = {s.sample for s in samples if (s.kind, s.structure) == (kind, structure)}
        for alike in _alike(names):
            log.warning(
                "%s: %s: %s %s differ in case only: taken for several, but their files are one on "
                "disks of Windows and macOS",
                file,
                structure,
                kind,
                alike,
            )
    for specimen in sorted(_on_both_sides(samples)):
        faults.note(
            f"{file}: specimen {specimen!r}: expected in training (volumes are trained on, and "
            "patches may be, unless their role is validation or test) or in validation and test, "
            "found in both"
        )
    return samples


def _alike(names: set[str]) -> list[str]:
    """Names that are the same but for the case of their letters, joined for a message."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        groups[name.casefold()].append(repr(name))
    return [", ".join(group) for group in groups.values() if len(group) > 1]


def _times(times: int) -> str:
    return "twice" if times == 2 else f"{times} times"


def _on_both_sides(samples: tuple[Sample, ...]) -> set[str]:
    """Specimens both trained on and held out; a test case is held out, whatever its row says.

    A patch without a role may be drawn for training, so its specimen may have no test case.
    """
    trained = {s.specimen for s in samples if s.is_trained_on}
    drawn = {s.specimen for s in samples if s.kind == "patch" and not s.role}
    tested = {s.specimen for s in samples if s.kind == "case"}
    held_out = {s.specimen for s in samples if s.role in ("validation", "test")}
    return (trained & (tested | held_out) | drawn & tested) - {""}
