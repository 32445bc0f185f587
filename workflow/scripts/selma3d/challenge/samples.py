"""Samples table of an edition: one row an image, with its specimen, its role and its files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import Field

from .checking import Faults, Model, nearest, read_table
from .edition import ReadEdition


class Sample(Model):
    """One image of config/samples/<edition>.tsv; cells are empty where absent."""

    structure: str = Field(min_length=1, description="one of the edition's")
    kind: Literal["volume", "patch", "case"] = Field(
        description="unannotated volume, annotated patch or test case"
    )
    sample: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z", description="its name among those of its kind"
    )
    specimen: str = Field(description="the animal or organ it comes from")
    role: Literal["", "training", "validation", "test"] = Field(
        description="what it is for; empty: the split decides. No encoder learns from a volume "
        "whose role is `validation` or `test`; it can be segmented"
    )
    archive: str = Field(description="one of the edition's")
    image: str = Field(
        description="path in the archive: a file, a folder of planes, or files of channels "
        "separated by commas"
    )
    mask: str = Field(description="path in the archive")
    group: str = Field(
        "",
        description="what a volume's specimen belongs to, such as a treatment or an age; the "
        "table over all brains has means by group",
    )

    @property
    def is_trained_on(self) -> bool:
        """Whether a model may learn from it for certain, and not only where a split says so."""
        return self.role == "training" or (self.kind == "volume" and not self.role)


def read_samples(file: Path, edition: ReadEdition, faults: Faults) -> tuple[Sample, ...]:
    """Read `config/samples/<edition>.tsv`; what is wrong with it goes to `faults`.

    Faults are names that the edition does not know, an image that stands twice, and a specimen that
    is both trained on and held out.
    """
    samples: tuple[Sample, ...] = ()
    with faults.noted():
        samples = read_table(file, Sample)
    for number, sample in enumerate(samples, start=2):
        for column, name, known in (
            ("structure", sample.structure, edition.structures),
            ("archive", sample.archive, edition.archives),
        ):
            if known is not None and name and name not in known:
                hint = nearest(name, known)
                faults.note(f"{file}, row {number}: {column}: the edition has no {name!r}{hint}")
    for key, times in Counter((s.kind, s.sample, s.structure) for s in samples).items():
        if times > 1:
            faults.note(f"{file}: {key[0]} {key[1]!r} of {key[2]} stands {_times(times)}")
    for specimen in sorted(_on_both_sides(samples)):
        faults.note(
            f"{file}: specimen {specimen!r}: expected in training (volumes are trained on, unless "
            "their role is validation or test) or in validation and test, found in both"
        )
    return samples


def _times(times: int) -> str:
    return "twice" if times == 2 else f"{times} times"


def _on_both_sides(samples: tuple[Sample, ...]) -> set[str]:
    """Specimens that are trained on and held out; test cases are, whatever their row says."""
    trained = {s.specimen for s in samples if s.is_trained_on}
    held_out = {s.specimen for s in samples if s.kind == "case" or s.role in ("validation", "test")}
    return trained & held_out - {""}
