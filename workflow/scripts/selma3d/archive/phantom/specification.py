"""What a phantom archive shall hold, read from an edition file and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...system.errors import InputError
from .structures import KINDS

REQUIRED = ("kind", "patch_shape", "voxel_size_um")
OPTIONAL = ("channels", "folder", "volume_shape", "training", "test", "volumes")


@dataclass(frozen=True)
class Cohort:
    """How many specimens, and how many patches from each."""

    specimens: int = 0
    patches: int = 0


@dataclass(frozen=True)
class StructureSpec:
    """One structure of the archive; shapes Z,Y,X, voxel size in micrometres (z,y,x)."""

    name: str
    kind: str
    channels: int
    folder: str
    patch_shape: tuple[int, int, int]
    volume_shape: tuple[int, int, int] | None
    voxel_size_um: tuple[float, float, float]
    training: Cohort
    test: Cohort
    volumes: int


def read_spec(spec: Mapping[str, Any]) -> list[StructureSpec]:
    """The structures of a phantom specification; raises InputError where one is faulty."""
    if not spec.get("structures"):
        raise InputError("phantom: structures: expected at least one, found none")
    return [_structure(name, entry) for name, entry in spec["structures"].items()]


def _structure(name: str, entry: Mapping[str, Any]) -> StructureSpec:
    where = f"phantom: structures.{name}"
    for key in REQUIRED:
        if key not in entry:
            raise InputError(f"{where}.{key}: expected a value, found none (add it)")
    for key in entry:
        if key not in REQUIRED + OPTIONAL:
            known = ", ".join(REQUIRED + OPTIONAL)
            raise InputError(f"{where}.{key}: unknown key, expected one of {known}")
    kind, channels, volumes = entry["kind"], entry.get("channels", 1), entry.get("volumes", 0)
    if kind not in KINDS:
        raise InputError(f"{where}.kind: expected one of {', '.join(KINDS)}, found {kind!r}")
    most = 2 if kind == "vessel" else 1
    if channels not in range(1, most + 1):
        raise InputError(f"{where}.channels: expected 1 to {most} for {kind}, found {channels!r}")
    if volumes and "volume_shape" not in entry:
        raise InputError(f"{where}.volume_shape: expected for {volumes} volumes, found none")
    return StructureSpec(
        name=name,
        kind=kind,
        channels=channels,
        folder=entry.get("folder", name),
        patch_shape=tuple(_triple(f"{where}.patch_shape", entry["patch_shape"])),
        volume_shape=tuple(_triple(f"{where}.volume_shape", entry["volume_shape"]))
        if volumes
        else None,
        voxel_size_um=tuple(map(float, _triple(f"{where}.voxel_size_um", entry["voxel_size_um"]))),
        training=_cohort(f"{where}.training", entry.get("training")),
        test=_cohort(f"{where}.test", entry.get("test")),
        volumes=volumes,
    )


def _triple(where: str, value: Any) -> list:
    positive = isinstance(value, list | tuple) and all(
        isinstance(number, int | float) and number > 0 for number in value
    )
    if not positive or len(value) != 3:
        raise InputError(f"{where}: expected three positive numbers (z,y,x), found {value!r}")
    return list(value)


def _cohort(where: str, entry: Mapping[str, int] | None) -> Cohort:
    if entry is None:
        return Cohort()
    if set(entry) != {"specimens", "patches_per_specimen"}:
        raise InputError(
            f"{where}: expected specimens and patches_per_specimen, found {', '.join(entry)}"
        )
    return Cohort(entry["specimens"], entry["patches_per_specimen"])
