"""Patches of a collection, one by one in a fixed order, from folders and from tars as they lie."""

from __future__ import annotations

import fnmatch
import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from ...archive.unpack import (
    TAR_SUFFIXES,
    Member,
    archive_faults_told,
    tar_members,
    write_member,
)
from ...challenge.samples import MEMBERS
from ...system.errors import InputError
from ...system.fingerprint import files_below, is_system_file
from ...system.limits import check_limit
from ..readers import open_image
from ..storage import VoxelSize
from .patch_sources import inside

# Formats whose images are one file each; folders and pairs of files have no place here.
SUFFIXES = (".nii.gz", ".nii", ".tif", ".tiff", ".mha", ".npy")
NAMED = 5  # folders that a message names


@dataclass(frozen=True)
class FoundPatch:
    """An unannotated patch that is not read yet: its path in the collection, its source volume.

    shown: its name in messages. unpacked: the folder that a tar's member was written into; None
    for files that lie where they were published.
    """

    path: str
    volume: str
    shown: str
    file: Path
    unpacked: Path | None = None

    def discard(self) -> None:
        """Remove what was written of a tar's member."""
        if self.unpacked is not None:
            shutil.rmtree(self.unpacked, ignore_errors=True)

    def read(self) -> tuple[np.ndarray, VoxelSize | None]:
        """Its voxels (C,Z,Y,X) as stored and the voxel size (z,y,x) that its header states.

        Raises InputError that names it as it was found.
        """
        try:
            with open_image(self.file) as image:
                size = int(np.prod(image.shape, dtype=object)) * image.dtype.itemsize
                check_limit(self.file, "bytes of voxels in a patch", size, "PATCH_BYTES")
                image.check_promise()
                return image.read_all(), image.voxel_size_um
        except InputError as error:
            raise InputError(str(error).replace(str(self.file), self.shown)) from error


@dataclass(frozen=True)
class PatchStream:
    """The patches of a collection.

    places: of the archive's `root`: folders, files or tars, each with a pattern after `::` if not
    all in it are meant; `*` in a pattern stands for any text, slashes too. expression: finds a
    source volume's name in a path (group `volume`); empty: a patch's folder is the name.
    links: further folders that links may lead to.
    """

    root: Path
    places: Sequence[str]
    expression: str = ""
    links: Sequence[Path] = ()

    def fingerprint(self) -> str:
        """A text that changes with what is meant, and with name, size or time of its files."""
        digest = hashlib.sha256(f"{self.expression}\0".encode())
        for place, pattern in self._opened():
            digest.update(f"{place}\0{pattern}\0".encode())
            for file in _files_of(place):
                found = file.stat()
                digest.update(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:16]

    def bytes(self) -> int:
        """The size of the folders' files and of the tars, whole."""
        files = (file for place, _ in self._opened() for file in _files_of(place))
        return sum(file.stat().st_size for file in files)

    def patches(self, skip: int, folder: Path) -> Iterator[FoundPatch]:
        """All patches but the first `skip`; members of a tar are written below `folder`.

        A member's file is the reader's to remove. Raises InputError for a place or a pattern
        without patches, a name that stands twice, and for a tar's hostile members.
        """
        seen: set[str] = set()
        number = 0
        for place, pattern in self._opened():
            before = number
            folders: Counter[str] = Counter()
            of_place = self._in_tar if _is_tar(place) else self._in_folder
            for path, take in of_place(place, folder):
                if path in seen:
                    raise InputError(f"{place}: {path!r} is refused: it stands there twice")
                seen.add(path)
                check_limit(place, "patches in a collection", len(seen), "PATCHES")
                folders[str(PurePosixPath(path).parent)] += 1
                if not fnmatch.fnmatchcase(path, pattern):
                    continue
                number += 1
                if number > skip:
                    shown = f"{place}: {path}" if _is_tar(place) else str(place / path)
                    volume = self.volume_of(path, place)  # before anything is written
                    unpacked = folder / str(number) if _is_tar(place) else None
                    yield FoundPatch(path, volume, shown, take(unpacked), unpacked)
            if number == before:
                raise InputError(_nothing(place, pattern, folders))

    def volume_of(self, path: str, place: Path) -> str:
        """The name of a patch's source volume. Raises InputError where none is found."""
        if not self.expression:
            parent = PurePosixPath(path).parent.as_posix()
            return place.name if parent == "." else parent
        found = re.search(self.expression, path)
        if found is None or not found["volume"]:
            raise InputError(
                f"{place}: {path}: expected a source volume's name as the samples table's volume "
                f"finds it ({self.expression}), found none (correct the expression)"
            )
        return found["volume"]

    def _opened(self) -> Iterator[tuple[Path, str]]:
        for name in self.places:
            stated, _, pattern = name.partition(MEMBERS)
            place = inside((self.root, *self.links), self.root / stated.strip())
            if not place.exists():
                raise InputError(f"{place}: expected a folder or a tar of patches, found nothing")
            yield place, pattern.strip() or "*"

    def _in_folder(
        self, place: Path, _: Path
    ) -> Iterator[tuple[str, Callable[[Path | None], Path]]]:
        roots = (self.root, *self.links)
        for file in _files_of(place):
            if _is_patch(file.name):
                path = file.relative_to(place).as_posix() if place.is_dir() else file.name
                yield path, lambda _, file=file: inside(roots, file)

    def _in_tar(
        self, place: Path, folder: Path
    ) -> Iterator[tuple[str, Callable[[Path | None], Path]]]:
        for member in tar_members(place, folder, "PATCHES"):
            if _is_patch(member.name) and not is_system_file(PurePosixPath(member.name).name):
                check_limit(
                    f"{place}: {member.name}", "bytes of a patch", member.bytes, "PATCH_BYTES"
                )
                yield member.name, partial(_written, place.name, member)


def _written(tar: str, member: Member, below: Path | None) -> Path:
    """A tar's member as a file of its own."""
    assert below is not None
    below.mkdir()
    with archive_faults_told(tar):
        write_member(member, below)
    return below / member.name


def _files_of(place: Path) -> Iterator[Path]:
    """The files of a folder, or the one that the place is."""
    return map(Path, files_below(place)) if place.is_dir() else iter([place])


def _is_patch(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _is_tar(place: Path) -> bool:
    return place.is_file() and place.name.lower().endswith(TAR_SUFFIXES)


def _nothing(place: Path, pattern: str, folders: Counter[str]) -> str:
    there = ", ".join(f"{name} ({number})" for name, number in folders.most_common(NAMED))
    more = f" and {len(folders) - NAMED} more folders" if len(folders) > NAMED else ""
    return (
        f"{place}: expected patches ({', '.join(SUFFIXES)}) that fit {pattern!r}, found none "
        f"(there are: {there or 'no such files'}{more}; correct the image of the samples table)"
    )
