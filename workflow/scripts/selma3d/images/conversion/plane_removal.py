"""Removal of a volume's downloaded planes, once its HDF5 file is proved to hold them."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ...system.atomic import write_table
from ...system.errors import InputError
from ...system.fingerprint import PATTERN
from ...system.tables import read_tsv
from .. import VolumeFile, content_hash, plane_hash, read_index
from ..readers import fingerprint
from ..readers.formats.plane_folder import PlaneFolder
from ..readers.formats.tiff import EXTENSIONS
from .volume_conversion import open_channels

log = logging.getLogger(__name__)


def remove_converted_planes(
    channel_sources: Sequence[Path], h5: Path, tsv: Path, record: Path
) -> None:
    """Delete the plane files of a volume whose HDF5 was made from them and reads back whole.

    `record` (TSV: path, bytes) lists what is deleted, and is written first: called again after
    an interruption, the rest goes. Raises InputError, and deletes nothing, where planes, HDF5
    and index do not belong together.
    """
    if not Path(record).exists():
        stacks = open_channels(channel_sources, accept_unreadable=True)
        folders = [stack for stack in stacks if isinstance(stack, PlaneFolder)]
        if len(folders) < len(stacks):
            raise InputError(
                f"{channel_sources[0]}: expected folders of planes, found another image"
            )
        _check_made_from(h5, fingerprint(stacks))
        _check_whole(h5, tsv)
        files = [file for folder in folders for file in folder.files]
        sizes = [file.stat().st_size for file in files]
        write_table(pd.DataFrame({"path": files, "bytes": sizes}), record)
    listed = read_tsv(record, "a record of planes", ("path", "bytes"), dtype={"path": str})
    planes = [_plane(Path(file), channel_sources, record) for file in listed["path"]]
    for file in planes:
        file.unlink(missing_ok=True)
    log.info("%s: %d planes removed, %.1f GB", h5, len(listed), listed["bytes"].sum() / 1e9)


def _plane(file: Path, folders: Sequence[Path], record: Path) -> Path:
    """`file`, if it is a plane directly in one of the folders; else InputError, nothing deleted.

    The record may be older than the run that reads it, and may have been written by others.
    """
    places = [folder.parent if PATTERN in folder.name else folder for folder in map(Path, folders)]
    if Path(file.parent) not in places or file.suffix.lower() not in EXTENSIONS:
        raise InputError(
            f"{record}: expected planes in {', '.join(map(str, folders))}, found {file} (nothing "
            "is deleted: remove the record)"
        )
    return file


def _check_made_from(h5: Path, expected: str) -> None:
    with VolumeFile(h5) as volume:
        found = json.loads(volume.file.attrs["source"])["fingerprint"]
    if found != expected:
        raise InputError(
            f"{h5}: expected a conversion of the planes as they are now ({expected}), "
            f"found one of others ({found}) (convert it again)"
        )


def _check_whole(h5: Path, tsv: Path) -> None:
    expected = read_index(tsv)["sha256"].iloc[0]
    with VolumeFile(h5) as volume:
        depth, whole = volume.shape[0], slice(None)
        planes = (
            plane_hash(plane)
            for channel in range(volume.channels)
            for start in range(0, depth, 64)
            for plane in volume.read(channel, (slice(start, start + 64), whole, whole))
        )
        found = content_hash((volume.channels, *volume.shape), volume.dtype, planes)
    if found != expected:
        raise InputError(f"{h5}: sha256: expected {expected}, found {found} (convert it again)")
