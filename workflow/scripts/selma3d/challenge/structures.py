"""Structures of an edition as a configuration asks for them, left-out twins included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..system.errors import InputError
from .parts import Structure

UNKNOWN = "unknown"  # what an edition file says of what its organisers have not published


def structures_of_edition(
    edition: Mapping[str, Any], config: Mapping[str, Any], edition_file: Path
) -> dict[str, Structure]:
    """Structures that are learnt or scored, by name.

    Raises InputError where one refers to an archive, a structure or patches that there are not.
    """
    cases = _cases_by_structure(edition, config)
    structures = {}
    for name, spec in edition["structures"].items():
        voxel_size = spec["voxel_size_um"]
        structures[name] = Structure(
            name=name,
            group=spec["group"],
            target=spec["target"],
            scored_as=spec["scored_as"],
            seen=spec["seen"],
            channel=spec["channel"],
            voxel_size_um=None if voxel_size == UNKNOWN else tuple(voxel_size),
            patches=spec.get("patches"),
            cases=cases.get(name),
            cases_of=spec.get("cases_of", name),
        )
        _check(structures[name], edition, f"{edition_file}: structures.{name}")
    if config["leave_one_structure_out"]:
        structures |= _left_out_twins(structures, config["tracks"])
    return structures


def _cases_by_structure(
    edition: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    phase, phases = config["phase"], edition["phases"]
    if phase not in phases:
        raise InputError(f"config: phase: expected one of {', '.join(phases)}, found {phase!r}")
    return phases[phase]["cases"] if config["test_cases"] == "archive" else {}


def _check(structure: Structure, edition: Mapping[str, Any], where: str) -> None:
    if structure.seen and not structure.patches:
        raise InputError(f"{where}: seen: true needs patches (archive and folder)")
    if structure.cases_of not in edition["structures"]:
        raise InputError(f"{where}.cases_of: no structure {structure.cases_of!r}")
    for source in (structure.patches, structure.cases):
        if source and source["archive"] not in edition["archives"]:
            raise InputError(f"{where}: no archive {source['archive']!r}")


def _left_out_twins(structures: Mapping[str, Structure], tracks: list[str]) -> dict[str, Structure]:
    """A twin of each labelled structure that some model can do without, on the same cases."""
    seen = [s for s in structures.values() if s.seen]
    return {
        f"{s.name}-unseen": replace(
            s, name=f"{s.name}-unseen", seen=False, patches=None, cases=None, left_out=True
        )
        for s in seen
        if (len(seen) > 1 and "one-model" in tracks)
        or sum(other.target == s.target for other in seen) > 1
    }
