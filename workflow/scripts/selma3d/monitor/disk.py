"""Disk space that the files of a challenge will take, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..challenge import Challenge
from ..challenge.participants import encoders_of, models_of
from ..challenge.recipe import Network
from .extents import Extent, Extents
from .status import Status

SAMPLED = 20  # files of a kind that are looked at
# Bytes a voxel and channel, of the demo's files and of 16-bit images as microscopes write them.
AS_PUBLISHED = 2.0
CONVERTED = 1.4
MASK, PROBABILITY = 0.05, 1.0
CHECKPOINT = 2 * 4  # two are kept: weights, two moments and an average
SHOWN = 60_000_000  # bytes of figures, tables and the report


@dataclass(frozen=True)
class Files:
    """Files of one kind that are still to be made; `size` in bytes of all of them.

    source: what the size is taken from: files that are there, networks, or the images' extents.
    """

    what: str
    to_make: int
    size: int
    source: str


def disk(challenge: Challenge, status: Status, extents: Extents) -> list[Files]:
    """The files of every stage: as large as those that are there, else by networks and voxels."""
    layout = status.layout
    volumes = {
        name: [layout.unannotated(row) for row in challenge.unannotated_of(name)]
        for name in challenge.structures
    }
    patches = {name: [layout.patches(name)] for name in challenge.structures_with_patches}
    with_cases = (*challenge.structures_with_given_cases, *challenge.structures_with_drawn_cases)
    cases = {name: [layout.cases(name)] for name in with_cases}
    masks: dict[str, list[str]] = {}
    for each in status.runs:
        masks.setdefault(each.of, []).append(layout.prediction(each.method, each.of, each.name))
    encoders = _by_method((e.method, layout.encoder(e)) for e in encoders_of(challenge))
    models = _by_method(
        (method, layout.model(method, target, run)) for method, target, run in models_of(challenge)
    )

    def weights(method: str) -> float:
        return weights_bytes(challenge.methods[method].recipe.network)

    def volume(structure: str) -> float:
        return CONVERTED * _voxels(extents.volumes(structure)) / len(volumes[structure])

    def mask(structure: str) -> float:
        each = MASK + (PROBABILITY if challenge.config.predict.probability else 0)
        return sum(each * e.voxels / e.channels for e in extents.cases(structure))

    annotated = [extents.patches(name) for name in patches]
    annotated += [extents.cases(name) for name in challenge.structures_with_given_cases]
    published = [*annotated, *(extents.volumes(name) for name in volumes if volumes[name])]
    trained = [method for method in challenge.recipes if method in {*encoders, *models}]
    return [
        _downloads(challenge, status, sum(_voxels(each) for each in published)),
        _files("volumes", volumes, status, volume),
        _files("patches", patches, status, lambda name: CONVERTED * _voxels(extents.patches(name))),
        _files("cases", cases, status, lambda name: CONVERTED * _voxels(extents.cases(name))),
        _files("encoders", encoders, status, weights, "networks"),
        _files("models", models, status, weights, "networks"),
        Files(
            "checkpoints of a training at work", 1,
            round(CHECKPOINT * max(map(weights, trained), default=0)), "networks",
        ),
        _files("predictions", masks, status, mask),
        Files("figures, tables, report", 1, SHOWN, "assumed"),
    ]  # fmt: skip


def weights_bytes(network: Network) -> int:
    """Bytes of a network's state, in the precision that it is saved in."""
    from ..learning.networks import build  # MONAI takes seconds: only where it is needed

    state = build(network).state_dict()
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values())


def _voxels(extents: Iterable[Extent]) -> int:
    return sum(each.voxels for each in extents)


def _downloads(challenge: Challenge, status: Status, voxels: int) -> Files:
    """Archives as published; those that are read where they lie take no room."""
    needed = [name for name, each in challenge.archives.items() if not each.is_read_in_place]
    absent = [name for name in needed if not status.exists(status.layout.receipt(name))]
    share = len(absent) / len(challenge.archives) if challenge.archives else 0
    return Files("archives", len(absent), round(share * AS_PUBLISHED * voxels), "voxels, 16 bits")


def _by_method(files: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for method, path in files:
        grouped.setdefault(method, []).append(path)
    return grouped


def _files(
    what: str,
    groups: dict[str, list[str]],
    status: Status,
    otherwise: Callable[[str], float],
    source: str = "voxels",
) -> Files:
    """The files of one kind, in groups of like ones; `otherwise`: bytes where none is there."""
    to_make, size, sources = 0, 0.0, set()
    for group, paths in groups.items():
        there = [Path(path) for path in paths if status.exists(path)]
        missing = len(paths) - len(there)
        to_make += missing
        if not missing:
            continue
        if there:
            sizes = [path.stat().st_size for path in there[:SAMPLED]]
            size += missing * sum(sizes) // len(sizes)
            sources.add("files that are there")
        else:
            size += missing * otherwise(group)
            sources.add(source)
    return Files(what, to_make, round(size), " and ".join(sorted(sources)) or "-")
