"""Packed chunks of Zarr and N5: each is looked at before tensorstore unpacks it.

tensorstore unpacks a chunk whole before it compares its size, and a few kilobytes of gzip or zstd
may become gigabytes. What each codec says, or a bounded unpacking, tells the size beforehand.
Layouts: Zarr's specifications 2 and 3, its sharding codec 1.0, N5's specification.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...system.errors import InputError
from ...system.limits import check_limit, limit
from ..packed_streams import BLOSC_HEAD, MOST_DEFLATED, blosc_size, unpacked_size
from .folder_tree import Json

if TYPE_CHECKING:
    import tensorstore

NAMES = {"zlib": "gzip", "gzip": "gzip", "bz2": "bzip2", "bzip2": "bzip2", "xz": "xz",
         "zstd": "zstd", "blosc": "blosc"}  # fmt: skip
UNPACKED = ("bytes", "transpose", "crc32c")
SPARE = 4096  # bytes that a codec may add to a chunk
CRC = 4  # bytes of a checksum
ABSENT = (1 << 64) - 1  # as place of a chunk in a shard
MOST_INDICES = 64  # of shards, kept at a time


@dataclass
class PackedChunks:
    """The chunks of an array below a folder.

    packer: that packs each; None where none does. chunk: lengths of one. in_file: the number of
    chunks of a file along each axis. tail: bytes behind a packed chunk. index_tail: behind the
    index of a shard; None where a file is a chunk. index_first: whether it stands at the beginning.
    checked: chunks that were found right, by their numbers along the axes.
    """

    folder: Path
    driver: str
    metadata: Json
    itemsize: int
    chunk: tuple[int, ...]
    in_file: tuple[int, ...]
    packer: str | None = None
    tail: int = 0
    index_tail: int | None = None
    index_first: bool = False
    checked: set[tuple[int, ...]] = field(default_factory=set)
    indices: dict[Path, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, driver: str, array: tensorstore.TensorStore) -> PackedChunks:
        """The chunks of an array. Raises InputError for codecs that are not known here."""
        metadata = array.spec().to_json()["metadata"]
        layout = array.chunk_layout
        chunk, file = tuple(layout.read_chunk.shape), tuple(layout.write_chunk.shape)
        in_file = tuple(b // a for a, b in zip(chunk, file, strict=True))
        chunks = cls(folder, driver, metadata, array.dtype.numpy_dtype.itemsize, chunk, in_file)
        if driver == "zarr3":
            chunks._take_codecs()
        else:
            key, name = ("compressor", "id") if driver == "zarr" else ("compression", "type")
            found = (metadata.get(key) or {}).get(name, "raw")
            chunks.packer = None if found == "raw" else chunks._known(found)
        return chunks

    def _take_codecs(self) -> None:
        codecs = self.metadata["codecs"]
        sharding = [c["configuration"] for c in codecs if c["name"] == "sharding_indexed"]
        if sharding:
            outer = [c["name"] for c in codecs if c["name"] != "sharding_indexed"]
            index = [c["name"] for c in sharding[0]["index_codecs"]]
            if not set(outer) <= {"transpose"} or index not in (["bytes"], ["bytes", "crc32c"]):
                self._refuse("shards that are not packed as a whole", [*outer, *index])
            self.index_tail = CRC * (len(index) - 1)
            self.index_first = sharding[0].get("index_location") == "start"
            codecs = sharding[0]["codecs"]
        names = [codec["name"] for codec in codecs]
        packers = [name for name in names if name not in UNPACKED]
        if len(packers) > 1:
            self._refuse("one codec that packs", packers)
        if packers:
            self.packer = self._known(packers[0])
            self.tail = CRC * names[names.index(packers[0]) :].count("crc32c")

    def _known(self, name: str) -> str:
        if name not in NAMES:
            self._refuse(f"a codec that is checked here ({', '.join(NAMES)})", [name])
        return NAMES[name]

    def _refuse(self, expected: str, found: Sequence[str]) -> None:
        raise InputError(
            f"{self.folder}: codecs: expected {expected}, found {', '.join(found)} (save it again)"
        )

    def check(self, region: Sequence[slice]) -> None:
        """Raise InputError where a chunk of a region would become more than its voxels.

        region: a slice an axis of the array, without steps.
        """
        if self.packer is None:
            return
        wanted = [
            range(part.start // length, -(-part.stop // length))
            for part, length in zip(region, self.chunk, strict=True)
        ]
        for numbers in self._files(region):
            inside = [
                range(max(chunks.start, n * most), min(chunks.stop, (n + 1) * most))
                for chunks, n, most in zip(wanted, numbers, self.in_file, strict=True)
            ]
            self._check_file(numbers, [c for c in product(*inside) if c not in self.checked])

    def absent(self, region: Sequence[slice]) -> int:
        """The voxels of a region whose chunks have no file."""
        lengths = [n * most for n, most in zip(self.chunk, self.in_file, strict=True)]
        return sum(
            prod(
                min(part.stop, (n + 1) * length) - max(part.start, n * length)
                for part, n, length in zip(region, numbers, lengths, strict=True)
            )
            for numbers in self._files(region)
            if not self._file(numbers).exists()
        )

    def _files(self, region: Sequence[slice]) -> Iterator[tuple[int, ...]]:
        """The numbers, along the axes, of the files that hold a region."""
        return product(
            *(
                range(part.start // (length * most), -(-part.stop // (length * most)))
                for part, length, most in zip(region, self.chunk, self.in_file, strict=True)
            )
        )

    def _check_file(self, numbers: tuple[int, ...], chunks: Sequence[tuple[int, ...]]) -> None:
        """Look at these chunks of a file, by the file's numbers along the axes."""
        if not chunks:
            return
        file = self._file(numbers)
        try:
            descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return  # chunks of one value need not be there
        try:
            for chunk in chunks:
                start, size = self._place(descriptor, file, chunk)
                if size > 0 and not self._is_right(descriptor, start, size - self.tail):
                    raise InputError(
                        f"{file}: expected a chunk of {self._bytes} bytes, found one that would be "
                        "unpacked to another size (damaged: copy or save it again)"
                    )
        finally:
            os.close(descriptor)
        self.checked.update(chunks)

    @property
    def _bytes(self) -> int:
        return prod(self.chunk) * self.itemsize

    def _is_right(self, descriptor: int, start: int, size: int) -> bool:
        most = self._bytes + SPARE
        if self.packer == "blosc":
            return 0 <= blosc_size(os.pread(descriptor, BLOSC_HEAD, start), size) <= most
        if self.packer == "gzip" and size * MOST_DEFLATED <= limit("UNPACKED_FREELY"):
            return True
        return unpacked_size(self.packer, os.pread(descriptor, size, start), most) >= 0

    def _file(self, numbers: tuple[int, ...]) -> Path:
        words = list(map(str, numbers))
        if self.driver == "n5":
            return self.folder.joinpath(*words)
        if self.driver == "zarr":
            return self.folder / self.metadata.get("dimension_separator", ".").join(words or ["0"])
        encoding = self.metadata.get("chunk_key_encoding") or {"name": "default"}
        default = encoding["name"] == "default"
        separator = encoding.get("configuration", {}).get("separator", "/" if default else ".")
        return self.folder / separator.join(["c", *words] if default else words or ["0"])

    def _place(self, descriptor: int, file: Path, chunk: tuple[int, ...]) -> tuple[int, int]:
        """Where a chunk begins in its file, and its size; 0 where it has none there."""
        size = os.fstat(descriptor).st_size
        if self.driver == "n5":  # mode, axes, a length for each; in mode 1 the number of values
            mode, axes = (int.from_bytes(os.pread(descriptor, 2, at), "big") for at in (0, 2))
            head = 4 + 4 * axes + (4 if mode == 1 else 0)
            return head, size - head
        if self.index_tail is None:
            return 0, size
        within = [n % most for n, most in zip(chunk, self.in_file, strict=True)]
        start, length = self._index(descriptor, file, size)[
            np.ravel_multi_index(within, self.in_file)
        ].tolist()
        if start == length == ABSENT:
            return 0, 0
        if start + length > size:
            raise InputError(f"{file}: expected chunks within the shard, found one beyond its end")
        return start, length

    def _index(self, descriptor: int, file: Path, size: int) -> np.ndarray:
        """Place and length of each chunk of a shard."""
        if file not in self.indices:
            if len(self.indices) >= MOST_INDICES:
                self.indices.clear()
            length = 16 * prod(self.in_file)
            check_limit(file, "bytes in the index of a shard", length, "CHUNK_BYTES")
            start = 0 if self.index_first else size - length - self.index_tail
            content = os.pread(descriptor, length, start) if start >= 0 else b""
            if len(content) < length:
                raise InputError(f"{file}: expected a whole shard, found a shorter file")
            self.indices[file] = np.frombuffer(content, "<u8").reshape(-1, 2)
        return self.indices[file]
