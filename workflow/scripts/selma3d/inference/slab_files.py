"""Files of slabs: joined from blocks, and joined to the file of the whole mask.

A slab's file has the shape and the chunks of the final one, and holds its own chunks only, which
are copied as they are. Where the network sees a grid of its own, slabs hold probabilities on that
grid, and joining them is resampling them to the volume's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import torch

from ..images.hdf5_writing import writing_hdf5
from ..images.storage import CHUNK, boxes, chunk_shape, compression, open_hdf5, stamp, stored_here
from ..system.atomic import publish
from ..system.errors import InputError
from .resampling import Resampling
from .segmentation_facts import SegmentationFacts

log = logging.getLogger(__name__)

TYPES = {"mask": np.uint8, "probability": np.float16}
EDGE = 4 * CHUNK  # of the parts that are resampled at a time, in voxels


def decided(probability: np.ndarray, threshold: float, kept: bool) -> dict[str, np.ndarray]:
    """The arrays of a segmentation: the mask, and the probability if it is `kept`."""
    arrays = {"mask": (probability > threshold).astype(np.uint8)}
    return arrays | ({"probability": probability.astype(np.float16)} if kept else {})


def write_slab(
    output: Path,
    blocks: Sequence[tuple[tuple[int, int, int], Path]],
    facts: SegmentationFacts,
    *,
    slab: int,
    slabs: int,
) -> None:
    """Join finished blocks (first voxel, file) to the file of slab number `slab` of `slabs`."""
    with publish(output) as temporary, writing_hdf5(temporary) as file:
        stamp(file, "segmentation-slab")
        file.attrs.update({"facts": json.dumps(facts.plain()), "slab": slab, "slabs": slabs})
        types = {"probability": np.float32} if facts.has_own_grid else _types(facts)
        stored = _create(file, facts.shape, types)
        for corner, path in blocks:
            with open_hdf5(path) as block:
                for name, dataset in stored.items():
                    _copy_chunks(block[name], dataset, corner)


def is_slab(path: Path, facts: SegmentationFacts, slab: int, slabs: int) -> bool:
    """Whether `path` is the file of that slab, made with the same facts."""
    if not Path(path).exists():
        return False
    with open_hdf5(path) as file:
        stored = SegmentationFacts.read(json.loads(file.attrs["facts"]))
        return (stored, file.attrs["slab"], file.attrs["slabs"]) == (facts, slab, slabs)


def join_slabs(slabs: Sequence[Path], output: Path) -> None:
    """Join the slabs of a volume, in any order, to the file of its segmentation.

    Raises InputError unless all slabs are there once and made by the same model and settings.
    """
    facts = _common_facts(slabs)
    with writing_hdf5(output) as file:
        stamp(file, "segmentation")
        file.attrs.update(
            {key: getattr(facts, key) for key in ("specimen", "structure", "threshold")}
        )
        if facts.voxel_size_um is not None:
            file.attrs["voxel_size_um"] = np.asarray(facts.voxel_size_um, dtype=np.float64)
        file.attrs["made_from"] = json.dumps(facts.plain())
        stored = _create(file, facts.volume_shape, _types(facts))
        with ExitStack() as stack:
            opened = [stack.enter_context(open_hdf5(path)) for path in slabs]
            if facts.has_own_grid:
                _resample(opened, stored, facts)
                return
            for slab, (name, dataset) in product(opened, stored.items()):
                _copy_chunks(slab[name], dataset, (0, 0, 0))


def _types(facts: SegmentationFacts) -> dict[str, type]:
    return TYPES if facts.probability else {"mask": TYPES["mask"]}


def _create(
    file: h5py.File, shape: Sequence[int], types: dict[str, type]
) -> dict[str, h5py.Dataset]:
    chunks = chunk_shape(tuple(shape))
    return {
        name: file.create_dataset(name, tuple(shape), dtype, chunks=chunks, **compression())
        for name, dtype in types.items()
    }


def _resample(
    slabs: Sequence[h5py.File], stored: dict[str, h5py.Dataset], facts: SegmentationFacts
) -> None:
    """Decide the mask on the volume's grid from probabilities on the network's."""
    back = Resampling(facts.shape, facts.volume_shape)
    for box in boxes(back.target, (EDGE,) * 3):
        # A slab is 0 wherever another one has computed.
        values = sum(slab["probability"][back.needed(box)] for slab in slabs)
        probability = back.part(torch.from_numpy(values)[None, None], box)[0, 0].numpy()
        arrays = decided(probability, facts.threshold, facts.probability)
        for name, array in arrays.items():
            if array.any():
                stored[name][box] = array


def _copy_chunks(source: h5py.Dataset, target: h5py.Dataset, corner: Sequence[int]) -> None:
    """Copy compressed chunks as they are, moved by `corner`."""
    stored_here(source, Path(source.file.filename))
    offsets: list[tuple[int, ...]] = []
    source.id.chunk_iter(lambda chunk: offsets.append(chunk.chunk_offset))
    for offset in offsets:
        filters, content = source.id.read_direct_chunk(offset)
        place = tuple(a + b for a, b in zip(corner, offset, strict=True))
        target.id.write_direct_chunk(place, content, filters)


def _common_facts(slabs: Sequence[Path]) -> SegmentationFacts:
    found: dict[int, Path] = {}
    facts, count = None, len(slabs)
    for path in slabs:
        with open_hdf5(path) as file:
            own = SegmentationFacts.read(json.loads(file.attrs["facts"]))
            number, count = (int(file.attrs[key]) for key in ("slab", "slabs"))
        if facts is not None and own != facts:
            name, expected, other = facts.difference(own)
            raise InputError(
                f"{path}: {name}: expected {expected} as in {slabs[0]}, found {other} "
                "(segment all slabs anew)"
            )
        facts, found[number] = own, path
    if facts is None or sorted(found) != list(range(count)) or len(slabs) != count:
        raise InputError(
            f"{slabs[0] if slabs else 'slabs'}: expected slabs 0 to {count - 1}, each once, "
            f"found {sorted(found)}"
        )
    return facts
