"""Tables of a segmented brain: its objects, vessels and regions, and the map of their density."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..challenge.config import Regions
from ..images import SegmentationFile
from ..images.readers.formats.nifti import write_nifti
from ..system.atomic import write_table
from .density import density_map
from .objects import measure_objects
from .regions import RegionSums, no_regions, read_annotation
from .vessels import vessel_table


@dataclass(frozen=True)
class BrainTables:
    """The files of a brain's tables (.tsv) and of its density map (.nii.gz)."""

    objects: Path
    vessels: Path
    regions: Path
    density: Path


def write_brain_tables(
    segmentation: Path,
    instances: Path,
    volume: Path,
    tables: BrainTables,
    *,
    channel: int,
    density_um: float,
    annotation: Path | None,
    regions: Regions,
) -> None:
    """Write all tables of a segmented volume (HDF5) and its instances (HDF5).

    Raises InputError where mask, instances and volume differ in shape, where the volume lacks the
    channel, and where the annotation is not the volume's.
    """
    objects = measure_objects(instances, volume, channel=channel)
    with SegmentationFile(segmentation) as found:
        shape, size = found.shape, found.voxel_size_um
        sums = None
        if annotation is not None:
            sums = RegionSums(read_annotation(annotation, regions, shape, size, volume))
            objects = sums.add_objects(objects)
        lengths = None if sums is None else sums.add_lengths
        vessels = vessel_table(found.mask, size, lengths=lengths)
    density = density_map(objects, shape, size, density_um)
    write_nifti(density.values, tables.density, density.geometry)
    write_table(no_regions() if sums is None else sums.table(), tables.regions)
    write_table(vessels, tables.vessels)
    write_table(objects, tables.objects)
