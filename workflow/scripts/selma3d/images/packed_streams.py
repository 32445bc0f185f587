"""Packed streams: the bytes that one would become, found without ever having many more."""

from __future__ import annotations

import bz2
import lzma
import zlib

import imagecodecs

MOST_DEFLATED = 1032  # bytes of a byte of a deflated stream
ANY_HEADER = 47  # zlib's word for a stream with its own header or that of gzip
XZ_MEMORY = 128 << 20
BLOSC_HEAD = 16


def unpacked_size(packer: str, stream: bytes, most: int) -> int:
    """The bytes that a stream becomes; -1 for more than `most` and for what is no whole stream.

    packer: gzip (zlib's too), bzip2, xz or zstd. No more than `most` bytes are unpacked.
    """
    try:
        if packer == "zstd":
            return len(imagecodecs.zstd_decode(stream, out=max(most, 1)))
        unpacker = {
            "gzip": lambda: zlib.decompressobj(ANY_HEADER),
            "bzip2": bz2.BZ2Decompressor,
            "xz": lambda: lzma.LZMADecompressor(memlimit=XZ_MEMORY),
        }[packer]()
        size = len(unpacker.decompress(stream, most + 1))
    except (zlib.error, lzma.LZMAError, OSError, EOFError, imagecodecs.ZstdError):
        return -1
    # Some readers would go on with a further stream behind the first.
    is_whole = unpacker.eof and not unpacker.unused_data.strip(b"\0")
    return size if is_whole and size <= most else -1


def blosc_size(head: bytes, length: int) -> int:
    """The bytes that a stream of Blosc becomes, of which it unpacks no more than it states.

    head: its first 16 bytes. length: of the stream, which it states too: -1 where they differ.
    """
    size, block, packed = (int.from_bytes(head[at : at + 4], "little") for at in (4, 8, 12))
    return size if packed == length >= BLOSC_HEAD and 0 < block <= max(size, 1) else -1
