"""Sources of a training without labels: volumes, and collections without what is held out."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

from ...images import is_collection, read_index
from ..sampling import VolumeSource

log = logging.getLogger(__name__)


def volume_sources(
    files: Sequence[str | Path], channels: Sequence[int], held_out: Collection[str] = ()
) -> tuple[VolumeSource, ...]:
    """The sources that are learnt from, and their channels.

    held_out: specimens of validation and test. Source volumes of a collection that come from one
    are left out; a volume that does stays, for its rule to refuse. Raises InputError as
    `read_index` does.
    """
    sources = []
    for file, channel in zip(map(Path, files), channels, strict=True):
        index = read_index(file.with_suffix(".tsv"))
        if not is_collection(index):
            sources.append(VolumeSource(file, channel))
            continue
        left_out = sorted({*index["specimen"]} & {*held_out})
        if left_out:
            log.info("%s: held out for validation and test: %s", file, ", ".join(left_out))
        if len(left_out) < index["specimen"].nunique():
            sources.append(VolumeSource(file, channel, leave_out=tuple(left_out)))
    return tuple(sources)


def specimens_of(sources: Sequence[VolumeSource]) -> list[str]:
    """The specimens that are learnt from."""
    return [
        specimen
        for source in sources
        for specimen in read_index(source.path.with_suffix(".tsv"))["specimen"]
        if specimen not in source.leave_out
    ]
