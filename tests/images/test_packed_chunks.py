"""Chunks that would become more than their voxels are refused before they are unpacked."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import pytest
import tensorstore

from selma3d.images.readers import open_image
from selma3d.system.errors import InputError

GREY = np.random.default_rng(0).integers(0, 4000, (40, 36, 32)).astype(np.uint16)
CHUNK, INNER = [32, 32, 32], [16, 16, 16]
ZEROS = bytes(1 << 25)  # that a bomb becomes


def zarr2(**compressor: object) -> dict[str, object]:
    return {"shape": GREY.shape, "chunks": CHUNK, "dtype": "<u2", "compressor": compressor}


def zarr3(*packers: dict[str, object], sharded: bool = False) -> dict[str, object]:
    codecs = [{"name": "bytes", "configuration": {"endian": "little"}}, *packers]
    if sharded:
        inner = {"chunk_shape": INNER, "codecs": codecs}
        codecs = [{"name": "sharding_indexed", "configuration": inner}]
    grid = {"name": "regular", "configuration": {"chunk_shape": CHUNK}}
    return {"shape": GREY.shape, "data_type": "uint16", "chunk_grid": grid, "codecs": codecs}


def n5(**compression: object) -> dict[str, object]:
    return {
        "dimensions": GREY.shape[::-1],
        "blockSize": CHUNK,
        "dataType": "uint16",
        "compression": compression,
    }


def named(name: str, **settings: object) -> dict[str, object]:
    return {"name": name, "configuration": settings}


def lying_blosc(_: bytes) -> bytes:
    """Blosc's head, which states 1 GB."""
    head = bytearray(imagecodecs.blosc_encode(GREY.tobytes()))
    head[4:8] = (1 << 30).to_bytes(4, "little")
    return bytes(head)


def in_block(pack: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    head = b"\0\0\0\3" + b"\0\0\0\x20" * 3
    return lambda content: head + pack(content)


def in_shard(pack: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def shard(content: bytes) -> bytes:
        packed = pack(content)
        index = np.full((8, 2), (1 << 64) - 1, "<u8")
        index[0] = 0, len(packed)
        return packed + index.tobytes() + bytes(4)

    return shard


@dataclass(frozen=True)
class Packed:
    driver: str
    metadata: dict[str, object]
    bomb: Callable[[bytes], bytes]
    first: str  # chunk


KINDS = {
    "Zarr 2, zlib": Packed("zarr", zarr2(id="zlib", level=1), zlib.compress, "0.0.0"),
    "Zarr 2, gzip": Packed("zarr", zarr2(id="gzip", level=1), gzip.compress, "0.0.0"),
    "Zarr 2, gzip twice": Packed(
        "zarr", zarr2(id="gzip", level=1), lambda c: gzip.compress(b"") + gzip.compress(c), "0.0.0"
    ),
    "Zarr 2, bz2": Packed("zarr", zarr2(id="bz2", level=9), bz2.compress, "0.0.0"),
    "Zarr 2, zstd": Packed("zarr", zarr2(id="zstd", level=1), imagecodecs.zstd_encode, "0.0.0"),
    "Zarr 2, blosc": Packed(
        "zarr", zarr2(id="blosc", cname="lz4", clevel=5, shuffle=1), lying_blosc, "0.0.0"
    ),
    "Zarr 3, gzip": Packed("zarr3", zarr3(named("gzip", level=1)), gzip.compress, "c/0/0/0"),
    "Zarr 3, zstd": Packed(
        "zarr3",
        zarr3(named("zstd", level=1, checksum=False), {"name": "crc32c"}),
        lambda content: imagecodecs.zstd_encode(content) + bytes(4),
        "c/0/0/0",
    ),
    "Zarr 3, zstd in shards": Packed(
        "zarr3",
        zarr3(named("zstd", level=1, checksum=False), sharded=True),
        in_shard(imagecodecs.zstd_encode),
        "c/0/0/0",
    ),
    "N5, gzip": Packed("n5", n5(type="gzip"), in_block(gzip.compress), "0/0/0"),
    "N5, bzip2": Packed("n5", n5(type="bzip2"), in_block(bz2.compress), "0/0/0"),
    "N5, xz": Packed("n5", n5(type="xz"), in_block(lzma.compress), "0/0/0"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_chunk_that_becomes_more_is_refused(tmp_path: Path, monkeypatch, kind: str) -> None:
    packed = KINDS[kind]
    monkeypatch.setenv("SELMA3D_UNPACKED_FREELY", "1e5")
    folder = tmp_path / ("a.n5" if packed.driver == "n5" else "a.zarr")
    store = {"driver": "file", "path": str(folder)}
    spec = {"driver": packed.driver, "kvstore": store, "metadata": packed.metadata}
    array = tensorstore.open(spec, create=True).result()
    array.write(GREY.T if packed.driver == "n5" else GREY).result()
    with open_image(folder) as image:
        np.testing.assert_array_equal(image.read(0, 0, 40), GREY)
    content = packed.bomb(ZEROS)
    (folder / packed.first).write_bytes(content)
    with (
        open_image(folder) as image,
        pytest.raises(InputError, match=rf"{packed.first}: expected a chunk of .* another size"),
    ):
        image.read(0, 0, 1)
    with open_image(folder) as image:
        np.testing.assert_array_equal(image.read(0, 32, 40), GREY[32:])  # beside it


def test_a_gzip_chunk_of_hdf5_is_as_long_as_it_declares(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SELMA3D_UNPACKED_FREELY", "1e5")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        image = file.create_dataset("image", data=GREY, chunks=tuple(CHUNK), compression=1)
        image.id.write_direct_chunk((0, 0, 0), zlib.compress(ZEROS))
    with open_image(path) as image:
        np.testing.assert_array_equal(image.read(0, 32, 40), GREY[32:])
        with pytest.raises(InputError, match=r"a\.h5: /image: expected chunks of 65536 bytes"):
            image.read(0, 0, 1)
