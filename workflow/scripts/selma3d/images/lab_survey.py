"""A lab's folder looked through: volumes, patches with their masks, and what has no place.

Names decide what is a mask and of which animal (`challenge/lab_names.py`); headers are read for
shape, voxel size and channels, and small masks are looked at. No file is changed.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import tifffile

from ..challenge.lab_edition import FoundImage, Survey
from ..challenge.lab_names import (
    CHANNEL_FOLDER,
    TEST_FOLDERS,
    Pairs,
    channel_patterns,
    pair_masks,
    specimen_of,
)
from ..system.errors import InputError
from ..system.fingerprint import is_system_file
from .conversion.patch_conversion import MOST_FOREGROUND
from .conversion.stored_values import mask_of_labels
from .geometry import on_grid
from .readers import described_data, image_stem, is_image, open_image, read_image

MOST_FILES = 200_000
DEEPEST = 12  # folders within folders
MOST_MASK_VOXELS = 256**3  # larger masks are not looked at
TIFF = (".tif", ".tiff")
BESIDE = (".xml",)  # of a BigDataViewer file: read with it


@dataclass
class _Walk:
    """What a walk has come by."""

    root: Path
    images: list[str] = field(default_factory=list)
    unplaced: dict[str, str] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    channels: dict[str, str] = field(default_factory=dict)  # names by path, of folders and patterns
    notes: list[str] = field(default_factory=list)
    files: int = 0

    def path(self, place: Path) -> str:
        return place.relative_to(self.root).as_posix()


def survey(folder: Path) -> Survey:
    """Look through a folder; hidden and system files count for nothing.

    Raises InputError where it is absent or holds no image.
    """
    if not folder.is_dir():
        raise InputError(f"DATA: {folder}: expected a folder with images, found none")
    folder = folder.resolve()
    walk = _Walk(folder)
    _look_through(folder, 0, walk)
    pairs = pair_masks(walk.images, {path: image_stem(Path(path)) for path in walk.images})
    walk.unplaced |= pairs.unpaired
    images = tuple(_placed(walk, pairs))
    if not images and not walk.unplaced:
        found = ", ".join(f"{n} {end}" for end, n in walk.others.most_common(5)) or "nothing"
        raise InputError(f"DATA: {folder}: expected images, found {found}")
    return Survey(folder, images, walk.unplaced, dict(walk.others), tuple(walk.notes))


def _look_through(folder: Path, depth: int, walk: _Walk) -> None:
    """Add what a folder and those in it hold to the walk."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        walk.unplaced[walk.path(folder)] = f"cannot be read: {error.strerror}"
        return
    tiffs, folders = [], []
    for entry in entries:
        place = Path(entry.path)
        if is_system_file(entry.name):
            continue
        if walk.files >= MOST_FILES:
            walk.notes.append(f"stopped after {MOST_FILES} files: the rest was not looked at")
            return
        walk.files += 1
        if "," in entry.name or any(ord(letter) < 32 for letter in entry.name):
            walk.unplaced[walk.path(place)] = (
                "a comma, tab or line break in its name, which the samples table cannot hold "
                "(rename it)"
            )
            continue
        if entry.is_symlink() and not _leads_within(place, walk):
            continue
        if entry.is_dir():
            folders.append(place)
        elif place.suffix.lower() in TIFF:
            tiffs.append(place)
        elif entry.is_file() and is_image(place):
            walk.images.append(walk.path(place))
        elif place.suffix.lower() not in BESIDE:
            walk.others[place.suffix.lower() or "without an extension"] += 1
    _add_tiffs(folder, tiffs, walk)
    descended = []
    for place in folders:
        if is_image(place):
            walk.images.append(walk.path(place))
        elif depth >= DEEPEST:
            walk.unplaced[walk.path(place)] = f"more than {DEEPEST} folders deep: not looked into"
        else:
            descended.append(place)
    _join_descriptions(folder, walk)
    before = len(walk.images)
    for place in descended:
        _look_through(place, depth + 1, walk)
    _join_channels(descended, before, walk)


def _join_descriptions(folder: Path, walk: _Walk) -> None:
    """What an .xml of BigDataViewer describes is no image beside it."""
    for place in [walk.root / path for path in walk.images if path.endswith(".xml")]:
        if place.parent == folder:
            with suppress(InputError):  # it is told when the image is opened
                data = walk.path(described_data(place))
                walk.images[:] = [path for path in walk.images if path != data]


def _leads_within(link: Path, walk: _Walk) -> bool:
    """Whether a link leads to a file below the folder; folders are met where they lie."""
    target = link.resolve()
    if not target.is_relative_to(walk.root):
        walk.unplaced[walk.path(link)] = "a link out of the folder (put what it leads to there)"
        return False
    return target.is_file()


def _add_tiffs(folder: Path, files: list[Path], walk: _Walk) -> None:
    """One volume where each file is a plane; else an image a file."""
    if not files:
        return
    flat = [file for file in (files[0], files[-1]) if _is_plane(file)]
    if len(files) > 1 and len(flat) == 2:
        patterns = channel_patterns([file.name for file in files])
        places = [folder / pattern for pattern in patterns.values()] or [folder]
        walk.images.append(",".join(walk.path(place) for place in places))
        walk.channels |= {walk.path(folder / p): channel for channel, p in patterns.items()}
        return
    for file in files:
        walk.images.append(walk.path(file))


def _is_plane(file: Path) -> bool:
    """Whether a TIFF holds a single plane; what does not open is left to the reader."""
    try:
        with tifffile.TiffFile(file) as tiff:
            page = tiff.pages.first
            return len(tiff.pages) == 1 and sum(size > 1 for size in page.shape) <= 2
    except Exception:  # codecs share no base class of errors
        return False


def _join_channels(folders: list[Path], before: int, walk: _Walk) -> None:
    """Folders of planes that are the channels of one volume, by their names, become one image."""
    paths = [walk.path(place) for place in folders]
    channels = [path for path in paths if path in walk.images[before:]]
    names = [PurePosixPath(path).name for path in channels]
    if len(channels) > 1 and all(CHANNEL_FOLDER.fullmatch(name) for name in names):
        walk.images[before:] = [p for p in walk.images[before:] if p not in channels]
        walk.images.append(",".join(channels))
        walk.channels |= dict(zip(channels, names, strict=True))


def _placed(walk: _Walk, pairs: Pairs) -> Iterator[FoundImage]:
    """Volumes, and patches with their masks; what cannot be either goes to `unplaced`."""
    masks = set(pairs.masks.values())
    with_patches = {PurePosixPath(path).parent for path in pairs.masks}
    of_channel = {part: path for path in pairs.masks for part in path.split(",")}
    for path in dict.fromkeys(of_channel.get(path, path) for path in walk.images):
        if path in masks or path in pairs.unpaired:
            continue
        mask = pairs.masks.get(path, "")
        if not mask and PurePosixPath(path).parent in with_patches:
            walk.unplaced[path] = "no mask, beside patches that have one"
            continue
        try:
            image = _described(path, mask, walk)
            if mask:
                _check_mask(image, walk)
        except InputError as error:
            reason = str(error).removeprefix(f"{walk.root}/")
            walk.unplaced[path] = reason.removeprefix(f"{path}: ")
            continue
        yield image


def _described(path: str, mask: str, walk: _Walk) -> FoundImage:
    """What the headers of an image say."""
    shapes, names, size = [], [], None
    for part in path.split(","):
        with open_image(walk.root / part) as image:
            shapes.append(image.shape)
            own = [walk.channels[part]] if part in walk.channels else []
            names += own or list(image.channel_names or ())
            size = size or image.voxel_size_um
    if len({shape[1:] for shape in shapes}) > 1:
        raise InputError(f"channels of different shapes (Z,Y,X): {', '.join(map(str, shapes))}")
    channels = sum(shape[0] for shape in shapes)
    folders = {part.casefold() for part in PurePosixPath(path).parts}
    return FoundImage(
        path=path,
        shape=(channels, *shapes[0][1:]),
        mask=mask,
        voxel_size_um=size,
        channel_names=tuple(names) if len(names) == channels else (),
        specimen=specimen_of(path),
        role="test" if mask and folders & set(TEST_FOLDERS) else "",
    )


def _check_mask(image: FoundImage, walk: _Walk) -> None:
    """Raise InputError for a mask that the conversion would refuse, as far as a look shows it."""
    path = walk.root / image.mask
    with open_image(path) as mask:
        if mask.shape != (1, *image.shape[1:]):
            raise InputError(
                f"its mask {image.mask} has shape {mask.shape}, the image {image.shape} (C,Z,Y,X; "
                "a mask has one channel)"
            )
    if math.prod(image.shape[1:]) > MOST_MASK_VOXELS:
        return
    stored = read_image(path, most_voxels=MOST_MASK_VOXELS)
    first = walk.root / image.path.split(",")[0]
    with open_image(first) as beside:
        on_grid(stored.array, stored.geometry, beside.geometry, path, first)
    foreground, _ = mask_of_labels(stored.array[0], path, ())
    if not foreground.any():
        raise InputError(f"its mask {image.mask} is empty")
    if foreground.mean() > MOST_FOREGROUND:
        raise InputError(f"its mask {image.mask} has hardly any background (0)")
