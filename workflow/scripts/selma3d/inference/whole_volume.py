"""Masks of volumes of any size, block by block: bounded memory, resumable, shared among jobs.

Equality. Windows, weights and blending are those of MONAI's sliding window over the whole volume in
memory (`TrainedModel.probability`). The sums are taken in another order, so probabilities agree to
float tolerance, and masks in every voxel whose probability is further than 1e-5 from the threshold.
Air is the one exception: in a cube of 32³ voxels that the occupancy map calls empty the mask is 0.
A window is left out only if it touches no other cube, so other cubes are not affected. Where a
recipe resamples, these are cubes of the network's grid, empty with a voxel around them.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..images import VolumeFile
from ..system.atomic import publish
from ..system.errors import InputError
from ..system.lease import Lease
from .block_files import BlockFiles
from .blocks import BlockGrid
from .components import remove_small_components
from .model import TrainedModel
from .resampling import Resampling
from .segmentation_facts import SegmentationFacts
from .settings import DEFAULT, WindowSettings
from .slab_computation import Sweep, Tally
from .slab_files import is_slab, join_slabs, write_slab


def segment_volume(
    model: TrainedModel,
    volume: Path,
    output: Path,
    *,
    work: Path,
    structure: str,
    settings: WindowSettings = DEFAULT,
) -> Tally:
    """Segment one channel of `volume` (HDF5) into `output` (HDF5: `mask`, uint8 (Z,Y,X)).

    `work` is a folder of this volume and model alone, in which a killed run is continued.
    Raises InputError for a model of another structure, a wrong channel, a volume with an empty axis
    or NaN, and a full disk; nothing that is finished is lost.
    """
    slab = Path(work) / "slab.h5"
    tally = segment_slab(
        model, volume, slab, work=Path(work) / "blocks", structure=structure, settings=settings
    )
    gather_slabs([slab], output, min_component_voxels=model.min_component_voxels)
    shutil.rmtree(work)
    return tally


def segment_slab(
    model: TrainedModel,
    volume: Path,
    output: Path,
    *,
    work: Path,
    structure: str,
    settings: WindowSettings = DEFAULT,
    slab: int = 0,
    slabs: int = 1,
) -> Tally:
    """Segment slab number `slab` of `slabs` of a volume into a file for `gather_slabs`.

    Slabs are ranges of block layers along z; each can be a job of its own. An `output` that is
    there already, of the same model, volume and settings, stays. Errors as in `segment_volume`.
    """
    channel, work = model.channel(structure), Path(work)
    with VolumeFile(volume) as source, Lease(work, role="segmentation"):
        check_volume(source, channel)
        resampling = Resampling.by_factors(source.shape, model.resample)
        grid = BlockGrid.of(
            resampling.target, model.window, settings.overlap, settings.block, slab, slabs
        )
        facts = SegmentationFacts.of(model, source, structure, settings, resampling)
        if is_slab(output, facts, slab, slabs):
            return Tally()
        folder = work / facts.fingerprint(slab, slabs)
        files = BlockFiles(folder, grid.shape)
        files.keep_only()
        sweep = Sweep(model, source, channel, grid, settings, files, resampling)
        tally = sweep.run()
        finished = [
            (tuple(side.start for side in block.core), files.path(block)) for block in sweep.wanted
        ]
        write_slab(output, finished, facts, slab=slab, slabs=slabs)
        # Removed under another name: a kill half-way must not leave blocks without their spill.
        shutil.rmtree(folder.rename(work / "finished"))
    return tally


def gather_slabs(slabs: Sequence[Path], output: Path, *, min_component_voxels: int = 0) -> None:
    """Join all slabs of a volume, in any order, and drop components that are too small."""
    with publish(output) as temporary:
        join_slabs(slabs, temporary)
        if min_component_voxels > 1:
            remove_small_components(temporary, min_component_voxels)


def check_volume(source: VolumeFile, channel: int) -> None:
    """Raise InputError where a volume has no such channel, an empty axis or broken constants."""
    source.channel_of(source.dataset("image"), channel)
    if 0 in source.shape:
        raise InputError(
            f"{source.path}: image: expected three axes (Z,Y,X), none empty, found {source.shape}"
        )
    intensity = source.intensity(channel)
    if not np.isfinite([intensity.mean, intensity.sd, *intensity.percentiles.values()]).all():
        raise InputError(
            f"{source.path}: intensity: expected finite constants, found NaN or infinity "
            "(convert the volume again)"
        )
