"""Files of each patch: found in an archive's folder, or named in the samples table.

An archive's folder holds `raw/<id>_<CCCC>.<ext>`, one file a channel (or `raw/<id>.<ext>` with
all of them), and `gt/<id>.<ext>`. The prefix `patchvolume_` is not part of the id.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...challenge.samples import Sample
from ...system.errors import InputError
from ...system.fingerprint import is_system_file
from ..readers import extensions, image_stem, image_suffix

log = logging.getLogger(__name__)

PREFIX = "patchvolume_"
Roots = Sequence[Path]  # folders that an image may lie in, the archive's first
CHANNEL = re.compile(r"(?P<id>.+)_(?P<channel>\d{4})")


@dataclass(frozen=True)
class PatchSource:
    """The files of one patch: one image file a channel (or one with all), and the mask's."""

    id: str
    images: tuple[Path, ...]
    mask: Path | None
    specimen: str
    row: Sample | None = None  # of the samples table, where it names the files


def find_patches(
    archive_root: Path,
    folder: str | None,
    rows: Sequence[Sample],
    *,
    masks_required: bool,
    links: Sequence[Path] = (),
) -> list[PatchSource]:
    """All patches of `folder` and of the rows that name files, sorted by id.

    Rows without files state the specimen of a patch that was found. links: further folders that
    links in the archive may lead to.
    Raises InputError for ids that repeat or match nothing, missing masks or channels, unknown
    formats, and files outside the archive.
    """
    archive = (archive_root, *links)
    sources: dict[str, PatchSource] = {}
    for source in _discover(archive, folder, masks_required) if folder is not None else ():
        if source.id in sources:
            raise InputError(
                f"{source.images[0]}: expected each id once, found {source.id!r} also as "
                f"{sources[source.id].images[0].name}"
            )
        sources[source.id] = source
    stated: set[str] = set()
    for row in rows:
        sample = row.sample
        if sample in stated or (row.image and sample in sources):
            raise InputError(
                f"samples table: sample: expected each id once, found {sample!r} again"
            )
        stated.add(sample)
        sources[sample] = _from_row(archive, row, sources, masks_required)
    if not sources:
        raise InputError(f"{archive_root / (folder or '')}: expected patches, found none")
    return [sources[patch] for patch in sorted(sources)]


def _discover(archive: Roots, folder: str, masks_required: bool) -> list[PatchSource]:
    root = inside(archive, archive[0] / folder)
    raw, gt = _image_files(archive, root / "raw"), root / "gt"
    masks: dict[str, Path] = {}
    if gt.is_dir() or masks_required:
        for file in _image_files(archive, gt):
            name = image_stem(file)
            if name in masks:
                raise InputError(
                    f"{file}: expected one mask of {name}, found {masks[name].name} too"
                )
            masks[name] = file
    images = _channel_files(raw, masks)
    for name in masks.keys() ^ images.keys() if masks else ():
        kind, place = ("mask", masks[name]) if name in masks else ("image", images[name][0])
        other = root / ("raw" if name in masks else "gt") / name
        raise InputError(f"{place}: expected a partner {other}.*, found this {kind} alone")
    return [
        PatchSource(name.removeprefix(PREFIX), tuple(files), masks.get(name), "")
        for name, files in images.items()
    ]


def _channel_files(raw: Sequence[Path], masks: Mapping[str, Path]) -> dict[str, list[Path]]:
    """Image files by patch name; a name that a mask has, or without a channel, is whole."""
    channels: dict[str, dict[int, Path]] = defaultdict(dict)
    for file in raw:
        name, number = image_stem(file), 0
        match = CHANNEL.fullmatch(name)
        if match and name not in masks:
            name, number = match["id"], int(match["channel"])
        if number in channels[name]:
            raise InputError(
                f"{file}: expected channel {number:04d} of {name} once, "
                f"found {channels[name][number].name} too"
            )
        channels[name][number] = file
    for name, files in channels.items():
        if sorted(files) != list(range(len(files))):
            raise InputError(
                f"{files[max(files)]}: expected channels of {name} from 0000 without a gap, found "
                f"{', '.join(f'{number:04d}' for number in sorted(files))}"
            )
    return {name: [files[number] for number in sorted(files)] for name, files in channels.items()}


def _image_files(archive: Roots, folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of images, found nothing")
    files = []
    for file in sorted(folder.iterdir()):
        if is_system_file(file.name):
            log.info("%s: hidden or of the system, left out", file)
        elif file.suffix.lower() == ".xml":
            log.info("%s: describes the file of its name, which is read", file)
        elif image_suffix(file) is None and not file.is_dir():
            raise InputError(
                f"{file}: expected an image ({', '.join(extensions())}), found extension "
                f"{file.suffix!r} (convert it, or take it out of the folder)"
            )
        else:
            files.append(inside(archive, file))
    if not files:
        raise InputError(
            f"{folder}: expected images ({', '.join(extensions())}), found an empty folder"
        )
    return files


def _from_row(
    archive: Roots, row: Sample, found: Mapping[str, PatchSource], mask_required: bool
) -> PatchSource:
    sample, specimen = row.sample, row.specimen
    if not row.image:
        if sample not in found:
            near = difflib.get_close_matches(sample, found, n=1)
            raise InputError(
                f"samples table: sample: expected a patch of the archive, found {sample!r}"
                + (f" (did you mean {near[0]!r}?)" if near else " (name its image file)")
            )
        return replace(found[sample], specimen=specimen, row=row)
    if mask_required and not row.mask:
        raise InputError(f"samples table: {sample}: mask: expected a file, found nothing")
    images = tuple(inside(archive, archive[0] / name) for name in row.images)
    mask = inside(archive, archive[0] / row.mask) if row.mask else None
    return PatchSource(sample, images, mask, specimen, row)


def inside(roots: Roots, path: Path) -> Path:
    """`path`, if it and what lies in it are below one of the roots once links are followed.

    roots: the archive's folder first. Raises InputError.
    """
    _check_inside(roots, path)
    if path.is_dir():
        with os.scandir(path) as entries:
            linked = [Path(entry.path) for entry in entries if entry.is_symlink()]
        for link in linked:
            _check_inside(roots, link)
    return path


def _check_inside(roots: Roots, path: Path) -> None:
    if not any(path.resolve().is_relative_to(root.resolve()) for root in roots):
        raise InputError(
            f"{path}: expected a file inside {roots[0]}, found one that leads to {path.resolve()} "
            "(copy it into the archive's folder, or name that folder in the archive's links)"
        )
