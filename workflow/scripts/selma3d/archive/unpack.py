"""Unpacking of zip and tar archives into a folder of their own; each member is checked first."""

from __future__ import annotations

import errno
import hashlib
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..system.errors import InputError
from .archive_folder import require_room
from .manifest import Entry
from .paths import fault_of_name, refuse_collisions, safe_path

ZIP_SUFFIXES = (".zip",)
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_BLOCK_BYTES = 1 << 20


class UnreadableError(InputError):
    """The archive is broken: another copy of it might not be."""


@dataclass(frozen=True)
class _Member:
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
    entries = []
    with _naming(name):
        for member in read(archive, folder, min_free_bytes):
            entries.append(_write(member, folder))
        if not entries:
            raise InputError("expected files in the archive, found none")
        refuse_collisions(entry.path for entry in entries)
    return entries


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Errors of the libraries as UnreadableError; every error with the archive's name before it."""
    broken = (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        NotImplementedError,  # a compression that zipfile does not know
        UnicodeError,
    )
    try:
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


def _zip_members(archive: Path, folder: Path, min_free_bytes: int) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        # A zip declares all sizes at once, so a bomb is refused before a byte of it is written.
        declared = sum(member.file_size for member in members)
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
                yield _Member(name, member.file_size, content)


def _tar_members(archive: Path, folder: Path, min_free_bytes: int) -> Iterator[_Member]:
    with tarfile.open(archive, "r:*") as opened:
        for member in opened:
            name = member.name.removeprefix("./")
            if member.isdir():
                if name not in {"", "."}:
                    _refuse_name(name)
                continue
            if not member.isreg():
                raise InputError(f"{name!r} is refused: it is a link or a device")
            _refuse_name(name)
            require_room(repr(name), member.size, folder, min_free_bytes)
            tarfile.data_filter(member, str(folder))
            content = opened.extractfile(member)
            assert content is not None  # None only for what is not a regular file
            with content:
                yield _Member(name, member.size, content)
        # tarfile stops before the end of the packed stream, where gzip and xz keep their checksum.
        while opened.fileobj.read(_BLOCK_BYTES):
            pass


def _refuse_name(name: str) -> None:
    fault = fault_of_name(name)
    if fault:
        raise InputError(f"{name!r} is refused as a file name: {fault}")


def _write(member: _Member, folder: Path) -> Entry:
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
