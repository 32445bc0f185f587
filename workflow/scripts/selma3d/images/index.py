"""Index tables: a small table beside every HDF5 file, on which trainings depend."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from ..system.atomic import write_table
from ..system.errors import InputError
from ..system.tables import read_tsv
from .intensity import Intensity
from .storage import VoxelSize


@dataclass(frozen=True)
class IndexRow:
    """One image of an HDF5 file, as text."""

    id: str
    specimen: str
    shape: str
    voxel_size_um: str
    intensity: str
    labelled: int
    foreground: str
    sha256: str

    @classmethod
    def of(
        cls,
        name: str,
        specimen: str,
        shape: tuple[int, ...],
        voxel_size_um: VoxelSize | None,
        intensity: list[Intensity],
        foreground: float | None,
        sha256: str,
    ) -> IndexRow:
        """`shape` is (C,Z,Y,X); `foreground` is the mask's share of voxels, None without a mask."""
        return cls(
            id=name,
            specimen=specimen,
            shape=",".join(map(str, shape)),
            voxel_size_um=(
                "unknown" if voxel_size_um is None else ",".join(f"{s:g}" for s in voxel_size_um)
            ),
            intensity=json.dumps([channel.to_json() for channel in intensity]),
            labelled=int(foreground is not None),
            foreground="" if foreground is None else f"{foreground:.10g}",
            sha256=sha256,
        )


COLUMNS = tuple(field.name for field in fields(IndexRow))


def write_index(rows: Iterable[IndexRow], tsv: str | Path) -> None:
    """Write the index, rows sorted by id; the same images give the same bytes."""
    ordered = sorted(rows, key=lambda row: row.id)
    write_table(pd.DataFrame([asdict(row) for row in ordered], columns=list(COLUMNS)), tsv)


def read_index(tsv: str | Path) -> pd.DataFrame:
    """Read an index: text columns as text, `labelled` int, `foreground` float (NaN: no mask).

    Raises InputError where columns are missing, ids repeat or values do not parse.
    """
    frame = read_tsv(tsv, "an index table", COLUMNS, dtype=str, keep_default_na=False)
    repeated = frame["id"][frame["id"].duplicated()]
    if len(repeated):
        raise InputError(f"{tsv}: id: expected each id once, found {repeated.iloc[0]!r} again")
    try:
        frame["labelled"] = frame["labelled"].astype(int)
        frame["foreground"] = frame["foreground"].replace("", "nan").astype(float)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{tsv}: labelled, foreground: expected numbers, found something else ({error})"
        ) from None
    return frame


def plane_hash(plane: np.ndarray) -> bytes:
    """SHA-256 of one (Y,X) plane's bytes, little endian, C order."""
    little = np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("<"))
    return hashlib.sha256(little.data).digest()


def content_hash(
    shape: tuple[int, ...], dtype: np.dtype, planes: Iterable[bytes], mask: np.ndarray | None = None
) -> str:
    """SHA-256 over dtype, shape (C,Z,Y,X) and the plane hashes in C order, then the mask's.

    A hash of plane hashes does not depend on how the image was cut into slabs, and lets
    threads and interrupted conversions hash their own planes.
    """
    total = hashlib.sha256(f"{np.dtype(dtype).newbyteorder('<').str} {tuple(shape)}".encode())
    for digest in planes:
        total.update(digest)
    if mask is not None:
        total.update(f"mask {mask.shape}".encode())
        for plane in mask:
            total.update(plane_hash(plane))
    return total.hexdigest()
