"""MHA, the format of the challenge: header and voxels in one file, read and written here.

The header is text, a line a key, and ends with `ElementDataFile`. Only `LOCAL` is accepted there:
other libraries would read the voxels from any file that it names.
"""

from __future__ import annotations

import warnings
import zlib
from contextlib import suppress
from math import inf, prod
from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np

from ..system.atomic import publish
from ..system.errors import InputError
from ..system.limits import check_limit, check_size
from .geometry import UM_PER_MM, Geometry
from .image_header import ImageHeader
from .voxel_stream import VoxelLayout

HEADER_BYTES = 1 << 16
PART = 1 << 16
MOST_UNPACKED = 1032  # bytes of a byte of a deflated stream
TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
NAMES = {"i1": "MET_CHAR", "u1": "MET_UCHAR", "i2": "MET_SHORT", "u2": "MET_USHORT",
         "i4": "MET_INT", "u4": "MET_UINT", "f4": "MET_FLOAT", "f8": "MET_DOUBLE"}  # fmt: skip
LAST = "ElementDataFile"
# Keys with one meaning, of which ITK takes whichever stands last.
SAME = (
    ("TransformMatrix", "Rotation", "Orientation"),
    ("Offset", "Position", "Origin"),
    ("ElementByteOrderMSB", "BinaryDataByteOrderMSB"),
)


def read_mha(path: Path, most_voxels: int | None = None) -> tuple[np.ndarray, str, Geometry]:
    """An MHA's voxels as stored, a letter for each of their axes, and its geometry (no unit).

    Raises InputError for voxels in another file, for keys that stand twice, for more or fewer
    voxels than the header says, and for more than `most_voxels` or the limits allow.
    """
    with path.open("rb") as file:
        header = _header(file, path)
        shape, axes, dtype = _layout(header, path)
        _check_promise(file, header, shape, dtype, path, most_voxels)
        array = _voxels(file, header, prod(shape), dtype, path).reshape(shape)
    return array, axes, _geometry(header, path)


def mha_header(path: Path) -> ImageHeader:
    """The header of an MHA, of whose voxels none is read. Raises InputError."""
    with path.open("rb") as file:
        header = _header(file, path)
        shape, axes, dtype = _layout(header, path)
        is_packed = _true(header, ("CompressedData",)) or not _true(header, ("BinaryData",))
        packed = _packed_size(file, header, path) if is_packed else None
    return ImageHeader(shape, axes, dtype, _geometry(header, path), packed)


def mha_layout(path: Path) -> VoxelLayout | None:
    """Where the voxels of an MHA lie; None where they are numbers as text. Raises InputError."""
    with path.open("rb") as file:
        header = _header(file, path)
        shape, axes, dtype = _layout(header, path)
        if not _true(header, ("BinaryData",)):
            return None
        packed, begin = None, file.tell()
        if _true(header, ("CompressedData",)):
            packed = _packed_size(file, header, path)
        else:
            there = path.stat().st_size - begin
            _check_amount(there, prod(shape) * dtype.itemsize, "bytes of voxels", path)
    return VoxelLayout(
        path=path,
        shape=shape,
        axes=axes,
        dtype=dtype,
        begin=begin,
        packer=None if packed is None else "zlib",
        packed_bytes=packed,
    )


def _layout(header: dict[str, str], path: Path) -> tuple[tuple[int, ...], str, np.dtype]:
    """Lengths of the axes as stored, a letter for each, and the type."""
    shape = tuple(reversed(_numbers(header, "DimSize", int, path)))
    if not 2 <= len(shape) <= 4 or min(shape) < 1 or len(shape) != _dimensions(header, path):
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


def _voxels(
    file: BinaryIO, header: dict[str, str], count: int, dtype: np.dtype, path: Path
) -> np.ndarray:
    size = count * dtype.itemsize
    if not _true(header, ("BinaryData",)):
        return _numbers_in_words(file.read(), count, dtype, path)
    if not _true(header, ("CompressedData",)):
        start = file.tell()
        _check_amount(path.stat().st_size - start, size, "bytes of voxels", path)
        return np.fromfile(file, dtype, count)
    stream = file.read(_packed_size(file, header, path))
    if size <= MOST_UNPACKED * len(stream):
        with suppress(imagecodecs.DeflateError):
            content = imagecodecs.deflate_decode(stream, out=size)
            if len(content) == size:
                return np.frombuffer(content, dtype)
    raise InputError(f"{path}: {_fault_of_stream(stream, size)}")


def _packed_size(file: BinaryIO, header: dict[str, str], path: Path) -> int:
    """The bytes of a compressed stream: as stated, but no more than are there."""
    there = path.stat().st_size - file.tell()
    stated = int(header.get("CompressedDataSize", "0"))
    return min(stated, there) if stated > 0 else there


def _check_promise(
    file: BinaryIO,
    header: dict[str, str],
    shape: tuple[int, ...],
    dtype: np.dtype,
    path: Path,
    most_voxels: int | None,
) -> None:
    """Raise InputError where the header asks for too much, before a voxel is read."""
    packed = None
    if not _true(header, ("BinaryData",)):
        packed = path.stat().st_size - file.tell()
        check_limit(path, "bytes of numbers as text", packed, "UNPACKED_FREELY")
    elif _true(header, ("CompressedData",)):
        packed = _packed_size(file, header, path)
        if prod(shape) * dtype.itemsize > MOST_UNPACKED * packed:
            return  # no stream of this length holds so much: its fault is told, and costs nothing
    check_size(path, shape, dtype.itemsize, packed=packed, most_voxels=most_voxels)


def _numbers_in_words(text: bytes, count: int, dtype: np.dtype, path: Path) -> np.ndarray:
    """The numbers of a text, as many as the header says."""
    with warnings.catch_warnings(action="error"):
        try:
            numbers = np.fromstring(text.decode("latin-1"), dtype.newbyteorder("="), sep=" ")
        except DeprecationWarning:  # numpy's word for text that is no number
            raise InputError(f"{path}: expected numbers as text, found another text") from None
    _check_amount(len(numbers), count, "numbers", path)
    return numbers


def _fault_of_stream(stream: bytes, size: int) -> str:
    """What is wrong with a stream that does not hold `size` bytes; no more of it is unpacked."""
    unpacker, found = zlib.decompressobj(), 0
    try:
        for start in range(0, len(stream), PART):
            found += len(unpacker.decompress(stream[start : start + PART]))
            if found > size:
                break
    except zlib.error as error:
        return f"expected whole voxels, found a damaged stream ({error})"
    if found == size:
        return "expected a whole stream of voxels, found one that breaks off"
    return _amounts(found, size, "bytes of voxels")


def _check_amount(found: int, expected: int, what: str, path: Path) -> None:
    if found != expected:
        raise InputError(f"{path}: {_amounts(found, expected, what)}")


def _amounts(found: int, expected: int, what: str) -> str:
    told = f"{found} (truncated: copy or save it again)" if found < expected else "more"
    return f"expected {expected} {what} as the header says, found {told}"


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


def _dimensions(header: dict[str, str], path: Path) -> int:
    return _numbers(header, "NDims", int, path)[0]


def _true(header: dict[str, str], keys: tuple[str, ...]) -> bool:
    """Whether a key says true; as in ITK, whatever begins with t, T or 1."""
    return any(header.get(key, "")[:1] in ("t", "T", "1") for key in keys if header.get(key))


def _text(numbers) -> str:
    return " ".join(f"{number:.17g}" for number in numbers)
