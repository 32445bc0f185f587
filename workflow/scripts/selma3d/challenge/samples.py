"""Samples table of an edition: one row an image, with its specimen, its role and its files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import Field

from ..system.errors import InputError
from .checking import Model, nearest, read_table
from .edition import Edition


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
        description="what it is for; empty: the split decides"
    )
    archive: str = Field(description="one of the edition's")
    image: str = Field(
        description="path in the archive: a file, a folder of planes, or files of channels "
        "separated by commas"
    )
    mask: str = Field(description="path in the archive")


def read_samples(file: Path, edition: Edition) -> tuple[Sample, ...]:
    """Read `config/samples/<edition>.tsv`.

    Raises InputError for names that the edition does not know, for an image that stands twice, and
    for a specimen that is both trained on and held out.
    """
    samples = read_table(file, Sample)
    for number, sample in enumerate(samples, start=2):
        for column, name, known in (
            ("structure", sample.structure, list(edition.structures)),
            ("archive", sample.archive, ["", *edition.archives]),
        ):
            if name not in known:
                hint = nearest(name, [word for word in known if word])
                raise InputError(
                    f"{file}, row {number}: {column}: the edition has no {name!r}{hint}"
                )
    (key, times), *_ = Counter((s.kind, s.sample, s.structure) for s in samples).most_common(1) or [
        (None, 0)
    ]
    if times > 1:
        raise InputError(f"{file}: {key[0]} {key[1]!r} of {key[2]} stands twice")
    _check_specimens(samples, file)
    return samples


def _check_specimens(samples: tuple[Sample, ...], file: Path) -> None:
    """Volumes are trained on; test cases are held out, whatever their row says."""
    trained = {s.specimen for s in samples if s.kind == "volume" or s.role == "training"}
    held_out = {s.specimen for s in samples if s.kind == "case" or s.role in ("validation", "test")}
    both = trained & held_out - {""}
    if both:
        raise InputError(
            f"{file}: specimen {min(both)!r}: expected in training (volumes are trained on) or in "
            "validation and test, found in both"
        )
