"""From blocks to a slab's file, and from slabs to the file of the whole mask: chunks as they are.

A slab's file has the shape and the chunks of the final one, and holds its own chunks only.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from ..atomic import publish
from ..errors import InputError
from ..volumes.storage import chunk_shape, compression, stamp
from ..volumes.writing import writing_hdf5

log = logging.getLogger(__name__)

TYPES = {"mask": np.uint8, "probability": np.float16}


def write_slab(
    output: Path,
    blocks: Sequence[tuple[tuple[int, int, int], Path]],
    facts: dict,
    *,
    slab: int,
    slabs: int,
) -> None:
    """Join finished blocks (first voxel, file) to the file of slab number `slab` of `slabs`."""
    with publish(output) as temporary, writing_hdf5(temporary) as file:
        stamp(file, "segmentation-slab")
        file.attrs.update({"facts": json.dumps(facts), "slab": slab, "slabs": slabs})
        stored = _create(file, facts)
        for corner, path in blocks:
            with h5py.File(path, "r") as block:
                for name, dataset in stored.items():
                    _copy_chunks(block[name], dataset, corner)


def is_slab(path: Path, facts: dict, slab: int, slabs: int) -> bool:
    """Whether `path` is the file of that slab, made with the same facts."""
    if not Path(path).exists():
        return False
    with h5py.File(path, "r") as file:
        stored = json.loads(file.attrs["facts"])
        return (stored, file.attrs["slab"], file.attrs["slabs"]) == (facts, slab, slabs)


def join_slabs(slabs: Sequence[Path], output: Path) -> None:
    """Join the slabs of a volume, in any order, to the file of its segmentation.

    Raises InputError unless all slabs are there once and made by the same model and settings.
    """
    facts = _common_facts(slabs)
    with writing_hdf5(output) as file:
        stamp(file, "segmentation")
        file.attrs.update({key: facts[key] for key in ("specimen", "structure", "threshold")})
        if facts["voxel_size_um"] is not None:
            file.attrs["voxel_size_um"] = np.asarray(facts["voxel_size_um"], dtype=np.float64)
        file.attrs["made_from"] = json.dumps(facts)
        stored = _create(file, facts)
        for path in slabs:
            with h5py.File(path, "r") as slab:
                for name, dataset in stored.items():
                    _copy_chunks(slab[name], dataset, (0, 0, 0))


def _create(file: h5py.File, facts: dict) -> dict[str, h5py.Dataset]:
    shape = tuple(facts["shape"])
    names = TYPES if facts["probability"] else ["mask"]
    return {
        name: file.create_dataset(
            name, shape, TYPES[name], chunks=chunk_shape(shape), **compression()
        )
        for name in names
    }


def _copy_chunks(source: h5py.Dataset, target: h5py.Dataset, corner: Sequence[int]) -> None:
    """Copy compressed chunks as they are, moved by `corner`."""
    offsets: list[tuple[int, ...]] = []
    source.id.chunk_iter(lambda chunk: offsets.append(chunk.chunk_offset))
    for offset in offsets:
        filters, content = source.id.read_direct_chunk(offset)
        place = tuple(a + b for a, b in zip(corner, offset, strict=True))
        target.id.write_direct_chunk(place, content, filters)


def _common_facts(slabs: Sequence[Path]) -> dict:
    found: dict[int, Path] = {}
    facts, count = None, len(slabs)
    for path in slabs:
        with h5py.File(path, "r") as file:
            own = json.loads(file.attrs["facts"])
            number, count = (int(file.attrs[key]) for key in ("slab", "slabs"))
        if facts is not None and own != facts:
            different = next(key for key in facts if own.get(key) != facts[key])
            raise InputError(
                f"{path}: {different}: expected {facts[different]} as in {slabs[0]}, "
                f"found {own.get(different)} (segment all slabs anew)"
            )
        facts, found[number] = own, path
    if facts is None or sorted(found) != list(range(count)) or len(slabs) != count:
        raise InputError(
            f"{slabs[0] if slabs else 'slabs'}: expected slabs 0 to {count - 1}, each once, "
            f"found {sorted(found)}"
        )
    return facts
