"""MHA, the format of the challenge: header and voxels in one file, read and written here.

The header is text, a line a key, and ends with `ElementDataFile`. Only `LOCAL` is accepted there:
other libraries would read the voxels from any file that it names.
"""

from __future__ import annotations

import zlib
from math import inf, prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ....system.atomic import publish
from ....system.errors import InputError
from ....system.limits import check_limit
from ...geometry import UM_PER_MM, Geometry
from ...voxel_stream import VoxelLayout, check_amount
from ..streamed_image import StreamedImage
from . import Format

HEADER_BYTES = 1 << 16
TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
NAMES = {stored: name for name, stored in reversed(TYPES.items())}
LAST = "ElementDataFile"
# Keys with one meaning, of which ITK takes whichever stands last.
SAME = (
    ("TransformMatrix", "Rotation", "Orientation"),
    ("Offset", "Position", "Origin"),
    ("ElementByteOrderMSB", "BinaryDataByteOrderMSB"),
)


def open_mha(path: Path, _: bool) -> StreamedImage:
    """An MHA by its header."""
    layout, geometry = mha_layout(path)
    return StreamedImage.of(layout, geometry, layout.axes)


def mha_layout(path: Path) -> tuple[VoxelLayout, Geometry]:
    """Where the voxels of an MHA lie, and its geometry (no unit); no voxel is read.

    Raises InputError for voxels in another file, for keys that stand twice, and for more or fewer
    bytes than the header says, where they are not packed.
    """
    with path.open("rb") as file:
        header = _header(file, path)
        begin = file.tell()
    shape, axes, dtype = _layout(header, path)
    there = path.stat().st_size - begin
    packer, packed = None, None
    if not _true(header, ("BinaryData",)):
        packer, packed = "text", there
        check_limit(path, "bytes of numbers as text", there, "UNPACKED_FREELY")
    elif _true(header, ("CompressedData",)):
        stated = int(header.get("CompressedDataSize", "0"))
        packer, packed = "zlib", min(stated, there) if stated > 0 else there
    else:
        check_amount(path, there, prod(shape) * dtype.itemsize)
    layout = VoxelLayout(
        path=path,
        shape=shape,
        axes=axes,
        dtype=dtype,
        begin=begin,
        packer=packer,
        packed_bytes=packed,
    )
    return layout, _geometry(header, path)


def _layout(header: dict[str, str], path: Path) -> tuple[tuple[int, ...], str, np.dtype]:
    """Lengths of the axes as stored, a letter for each, and the type."""
    shape = tuple(reversed(_numbers(header, "DimSize", int, path)))
    stated, *_ = _numbers(header, "NDims", int, path)
    if not 2 <= len(shape) <= 4 or min(shape) < 1 or len(shape) != stated:
        raise InputError(f"{path}: DimSize: expected NDims lengths from 1, found {shape[::-1]}")
    channels = int(header.get("ElementNumberOfChannels", "1"))
    axes = "CZYX"[-len(shape) :]
    if channels > 1:
        shape, axes = (*shape, channels), axes + "C"
    return shape, axes, _dtype(header, path)


def write_mha(array: np.ndarray, path: Path, geometry: Geometry) -> None:
    """Write a (Z,Y,X) array, compressed; it appears when it is whole.

    Lengths are in millimetres, ITK's unit, where the geometry has a unit.
    """
    grid = geometry.in_unit(UM_PER_MM)
    direction = grid.direction or ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    content = zlib.compress(little.data)
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(len(content)),
        "TransformMatrix": _text(number for row in direction for number in row),
        "Offset": _text(grid.origin),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": _text(grid.spacing),
        "DimSize": _text(reversed(array.shape)),
        "ElementType": NAMES[f"{array.dtype.kind}{array.dtype.itemsize}"],
        LAST: "LOCAL",
    }
    with publish(path) as temporary, temporary.open("wb") as file:
        file.write("".join(f"{key} = {value}\n" for key, value in header.items()).encode())
        file.write(content)


def _header(file: BinaryIO, path: Path) -> dict[str, str]:
    """Keys and values up to the last key; the file is left at the first byte of the voxels."""
    header: dict[str, str] = {}
    left = HEADER_BYTES
    while LAST not in header:
        line = file.readline(left)
        left -= len(line)
        key, equals, value = line.decode("latin-1").partition("=")
        key, value = key.strip(), value.strip()
        if not line.endswith(b"\n") or not (equals or not key):
            raise InputError(
                f"{path}: {LAST}: expected LOCAL (voxels in this file), found no such key in "
                "the header"
            )
        known = next((names for names in SAME if key in names), (key,))
        if key and key != "Comment" and not header.keys().isdisjoint(known):
            raise InputError(f"{path}: {key}: expected this key once, found it twice")
        header[key] = value
    if header[LAST].upper() != "LOCAL":
        raise InputError(
            f"{path}: {LAST}: expected LOCAL (voxels in this file), found {header[LAST]!r} "
            "(save image and voxels in one .mha)"
        )
    if header.get("ObjectType", "Image") != "Image" or header.get("HeaderSize", "0") != "0":
        raise InputError(f"{path}: expected a plain image, found an MHA of another kind")
    return header


def _dtype(header: dict[str, str], path: Path) -> np.dtype:
    kind = header.get("ElementType", "").removesuffix("_ARRAY")
    if kind not in TYPES:
        raise InputError(f"{path}: ElementType: expected one of {', '.join(TYPES)}, found {kind!r}")
    return np.dtype(TYPES[kind]).newbyteorder(">" if _true(header, SAME[2]) else "<")


def _geometry(header: dict[str, str], path: Path) -> Geometry:
    spacing = _three(header, ("ElementSpacing", "ElementSize"), path) or (1.0, 1.0, 1.0)
    if not all(0 < length < inf for length in spacing):
        raise InputError(
            f"{path}: ElementSpacing: expected lengths above 0, found {_text(spacing)} (save it "
            "again with the voxel size, or with 1 1 1)"
        )
    origin = _three(header, SAME[1], path) or (0.0, 0.0, 0.0)
    key = next((key for key in SAME[0] if key in header), None)
    direction = None
    if key is not None:
        numbers = np.array(_numbers(header, key, float, path))
        side = round(len(numbers) ** 0.5)
        if side >= 3 and side * side == len(numbers):
            direction = tuple(map(tuple, numbers.reshape(side, side)[:3, :3].tolist()))
    return Geometry(spacing, origin, direction)


def _three(header: dict[str, str], keys: tuple[str, ...], path: Path) -> tuple[float, ...] | None:
    """The first three numbers of whichever key is there; None for fewer."""
    key = next((key for key in keys if key in header), None)
    numbers = () if key is None else _numbers(header, key, float, path)
    return numbers[:3] if len(numbers) >= 3 else None


def _numbers(header: dict[str, str], key: str, kind: type, path: Path) -> tuple:
    try:
        return tuple(kind(word) for word in header[key].split())
    except (KeyError, ValueError):
        found = repr(header[key]) if key in header else "no such key"
        raise InputError(f"{path}: {key}: expected numbers, found {found}") from None


def _true(header: dict[str, str], keys: tuple[str, ...]) -> bool:
    """Whether a key says true; as in ITK, whatever begins with t, T or 1."""
    return any(header.get(key, "")[:1] in ("t", "T", "1") for key in keys if header.get(key))


def _text(numbers) -> str:
    return " ".join(f"{number:.17g}" for number in numbers)


FORMAT = Format((".mha",), open_mha)
