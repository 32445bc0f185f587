"""Disk space that the large files of a challenge will take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..challenge import Challenge
from ..challenge.participants import encoders_of, models_of
from ..challenge.recipe import Network
from .status import Status

SAMPLED = 20  # files of a kind that are looked at


@dataclass(frozen=True)
class Files:
    """Files of one kind that are still to be made; `size` in bytes of all of them, None if unknown.

    source: what the size is taken from, files that are there already or networks.
    """

    what: str
    to_make: int
    size: int | None
    source: str


def disk(challenge: Challenge, status: Status) -> list[Files]:
    """Volumes, encoders, models and predictions: as large as those that are there.

    Where there is none yet, an encoder or a model is as large as its network's weights.
    """
    layout = status.layout
    volumes = [
        layout.volume(name, row.sample)
        for name in challenge.structures
        for row in challenge.samples_of(name, "volume")
    ]
    masks = [layout.prediction(e.method, e.of, e.name) for e in status.runs]
    encoders = _by_method((e.method, layout.encoder(e)) for e in encoders_of(challenge))
    models = _by_method(
        (method, layout.model(method, target, run)) for method, target, run in models_of(challenge)
    )

    def weights(method: str) -> int:
        return weights_bytes(challenge.methods[method].recipe.network)

    return [
        _files("volumes", {"": volumes}, status),
        _files("encoders", encoders, status, weights),
        _files("models", models, status, weights),
        _files("predictions", {"": masks}, status),
    ]


def weights_bytes(network: Network) -> int:
    """Bytes of a network's state, in the precision that it is saved in."""
    from ..learning.networks import build  # MONAI takes seconds: only where it is needed

    state = build(network).state_dict()
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values())


def _by_method(files: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for method, path in files:
        grouped.setdefault(method, []).append(path)
    return grouped


def _files(
    what: str,
    groups: dict[str, list[str]],
    status: Status,
    otherwise: Callable[[str], int] | None = None,
) -> Files:
    """The files of one kind, in groups of like ones; `otherwise`: bytes where none is there."""
    to_make, size, sources = 0, 0, set()
    for group, paths in groups.items():
        there = [Path(path) for path in paths if status.exists(path)]
        missing = len(paths) - len(there)
        to_make += missing
        if not missing or size is None:
            continue
        if there:
            sizes = [path.stat().st_size for path in there[:SAMPLED]]
            size += missing * sum(sizes) // len(sizes)
            sources.add("files that are there")
        elif otherwise is not None:
            size += missing * otherwise(group)
            sources.add("networks")
        else:
            size = None
    return Files(what, to_make, size, " and ".join(sorted(sources)))
