"""The table of an edition's images: whose they are, and what they are for."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pandas as pd

from ..system.errors import InputError
from . import schema


def read_samples(file: Path, edition: dict[str, Any]) -> pd.DataFrame:
    """Read `config/samples/<edition>.tsv`; every cell a string, empty where absent.

    Raises InputError for names that the edition does not know, for an image that stands twice, and
    for a specimen that is both trained on and held out.
    """
    samples = schema.read_table(file, "samples")
    _check_names(samples, file, "structure", list(edition["structures"]))
    _check_names(samples, file, "archive", ["", *edition["archives"]])
    twice = samples[samples.duplicated(["structure", "kind", "sample"])]
    if len(twice):
        first = twice.iloc[0]
        raise InputError(
            f"{file}: {first['kind']} {first['sample']!r} of {first['structure']} stands twice"
        )
    _check_specimens(samples, file)
    return samples


def _check_names(samples: pd.DataFrame, file: Path, column: str, known: list[str]) -> None:
    for number, name in enumerate(samples[column], start=2):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            raise InputError(f"{file}, row {number}: {column}: the edition has no {name!r}{hint}")


def _check_specimens(samples: pd.DataFrame, file: Path) -> None:
    """Volumes are trained on; test cases are held out, whatever their row says."""
    is_trained = samples["kind"].eq("volume") | samples["role"].eq("training")
    is_held_out = samples["kind"].eq("case") | samples["role"].isin(["validation", "test"])
    both = set(samples[is_trained]["specimen"]) & set(samples[is_held_out]["specimen"]) - {""}
    if both:
        raise InputError(
            f"{file}: specimen {min(both)!r}: expected in training (volumes are trained on) or in "
            "validation and test, found in both"
        )
