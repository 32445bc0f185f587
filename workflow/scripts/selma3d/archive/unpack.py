"""Unpacking of zip and tar archives into a folder of their own; each member is checked first."""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..system.errors import InputError
from ..system.limits import check_limit, check_ratio, most_unpacked, proportionate
from ..system.paths import fault_of_name, refuse_collisions, safe_path
from .archive_folder import require_room
from .manifest import Entry

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_BLOCK_BYTES = 1 << 18
LARGEST_READ = _BLOCK_BYTES
END_BYTES = (1 << 16) + 22  # the last record of a zip, with the longest comment
LONGEST_ENTRY = 2000  # bytes of a member in an index that is much longer than any


class UnreadableError(InputError):
    """The archive is broken: another copy of it might not be."""


@dataclass(frozen=True)
class Member:
    """A regular file in an archive; `content` is its bytes, until the next member is asked for."""

    name: str
    bytes: int
    content: IO[bytes]


def is_archive(name: str) -> bool:
    """Whether a file of this name is unpacked."""
    return name.lower().endswith(ZIP_SUFFIXES + TAR_SUFFIXES)


def unpack(archive: Path, name: str, folder: Path, min_free_bytes: int = 0) -> list[Entry]:
    """Unpack `archive`, published as `name`, into the new `folder`; the entries of its members.

    Only regular files are taken. InputError for an absolute name or one that climbs, for links,
    devices and encrypted members, for members that collide, for more bytes than declared, and
    where what is declared would leave less than `min_free_bytes` on the disk. UnreadableError (an
    InputError too) where the archive itself is broken.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    is_zip = name.lower().endswith(ZIP_SUFFIXES)
    read = _zip_members if is_zip else _tar_members
    with archive_faults_told(name):
        entries = [write_member(m, folder) for m in read(archive, folder, min_free_bytes)]
        if not entries:
            raise InputError("expected files in the archive, found none")
        refuse_collisions(entry.path for entry in entries)
    return entries


@contextmanager
def archive_faults_told(name: str) -> Iterator[None]:
    """Errors of the libraries as UnreadableError; every error with the archive's name before it."""
    broken = (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        NotImplementedError,  # a compression that zipfile does not know
        UnicodeError,
        ValueError,  # a number that there is not in a header
    )
    try:
        with proportionate(name, "an archive"):
            yield
    except InputError as error:
        raise type(error)(f"{name}: {error}") from error
    except broken as error:
        raise UnreadableError(f"{name}: not a readable archive: {error}") from error
    except OSError as error:
        # bz2 and gzip raise OSError without a number, zipfile seeks where a broken index points.
        if error.errno not in {None, errno.EINVAL}:
            raise
        raise UnreadableError(f"{name}: not a readable archive: {error}") from error


def _zip_members(archive: Path, folder: Path, min_free_bytes: int) -> Iterator[Member]:
    _check_index(archive)
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        check_limit("a zip", "members", len(members), "MEMBERS")
        # A zip declares all sizes at once, so a bomb is refused before a byte of it is written.
        declared = sum(member.file_size for member in members)
        check_ratio("a zip", declared, archive.stat().st_size, "UNPACKED_ARCHIVE")
        require_room(f"{len(members)} members", declared, folder, min_free_bytes)
        for member in members:
            # The name as stored: zipfile itself cuts `filename` at a NUL.
            name = member.orig_filename
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise InputError(f"{name!r} is refused: it is a link or a device")
            if member.is_dir():
                _refuse_name(name.removesuffix("/"))
                continue
            _refuse_name(name)
            if member.flag_bits & 1:
                raise InputError(f"{name!r} is refused: it is encrypted")
            with opened.open(member) as content:
                yield Member(name, member.file_size, content)


def _check_index(archive: Path) -> None:
    """Raise InputError for an index of a zip that is too long to be read; zipfile reads it whole.

    A zip ends with the length of its index; whoever states a short one has a short one read.
    """
    size = archive.stat().st_size
    with archive.open("rb") as file:
        file.seek(max(0, size - END_BYTES))
        end = file.read()
    at = end.rfind(b"PK\x05\x06")
    if 0 <= at <= len(end) - 22:
        index = min(int.from_bytes(end[at + 12 : at + 16], "little"), size)
        check_limit("the index of a zip", "members", index // LONGEST_ENTRY, "MEMBERS")


class _Stream:
    """The unpacked bytes of a tar, read in parts: neither headers nor their sum are boundless."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._most = file, most

    def read(self, size: int) -> bytes:
        if size > LARGEST_READ:
            # tarfile asks for a header's content at once, for a file's in parts.
            check_limit("a header in a tar", "bytes", size, "HEADER_BYTES")
        content = self._file.read(size)
        self._check(self._file.tell())
        return content

    def seek(self, place: int, whence: int = 0) -> int:
        if whence == 0:
            self._check(place)
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()

    def _check(self, place: int) -> None:
        if place > self._most:
            raise InputError(
                f"a tar: expected at most {self._most} unpacked bytes from a file of this size, "
                "found more (refused; if it is right, set SELMA3D_UNPACKED_RATIO higher)"
            )


def _opener(archive: Path) -> Callable[[Path], IO[bytes]]:
    """What unpacks a tar, by its first bytes."""
    with archive.open("rb") as file:
        begins = file.read(6)
    packers = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
    found = (opened for magic, opened in packers.items() if begins.startswith(magic))
    return next(found, lambda path: path.open("rb"))


def tar_members(archive: Path, folder: Path, most_members: str) -> Iterator[Member]:
    """The regular files of a tar in its order, each to be written below `folder` or passed over.

    most_members: the limit of their number, by its name. Nothing is written here.
    Raises InputError as `unpack` does, at the member in question; what came before was right.
    """
    with archive_faults_told(archive.name):
        yield from _tar_members(archive, folder, 0, most_members)


def _tar_members(
    archive: Path, folder: Path, min_free_bytes: int, most_members: str = "MEMBERS"
) -> Iterator[Member]:
    most = most_unpacked(archive.stat().st_size, "UNPACKED_ARCHIVE")
    with (
        _opener(archive)(archive) as unpacked,
        tarfile.open(fileobj=(stream := _Stream(unpacked, most)), mode="r:") as opened,
    ):
        for count, member in enumerate(opened, start=1):
            check_limit("a tar", "members", count, most_members)
            name = member.name.removeprefix("./")
            if member.isdir():
                if name not in {"", "."}:
                    _refuse_name(name)
                continue
            if not member.isreg():
                raise InputError(f"{name!r} is refused: it is a link or a device")
            if member.issparse():
                raise InputError(f"{name!r} is refused: it is a sparse file (pack it without -S)")
            _refuse_name(name)
            require_room(repr(name), member.size, folder, min_free_bytes)
            tarfile.data_filter(member, str(folder))
            content = opened.extractfile(member)
            assert content is not None  # None only for what is not a regular file
            with content:
                yield Member(name, member.size, content)
        # tarfile stops before the end of the packed stream, where gzip and xz keep their checksum.
        while stream.read(_BLOCK_BYTES):
            pass


def _refuse_name(name: str) -> None:
    fault = fault_of_name(name)
    if fault:
        raise InputError(f"{name!r} is refused as a file name: {fault}")


def write_member(member: Member, folder: Path) -> Entry:
    """Write a member below `folder`, no more of it than was declared. Raises InputError."""
    path = safe_path(folder, member.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = path.open("xb")
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{member.name!r} is refused: it collides with another member") from None
    digest = hashlib.sha256()
    size = 0
    with target:
        while block := member.content.read(_BLOCK_BYTES):
            size += len(block)
            if size > member.bytes:
                break
            digest.update(block)
            target.write(block)
    if size != member.bytes:
        found = "more" if size > member.bytes else str(size)
        raise UnreadableError(f"{member.name!r}: expected {member.bytes} bytes, found {found}")
    return Entry(member.name, size, digest.hexdigest())
