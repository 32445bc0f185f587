"""Rule convert_volume: planes of one volume -> chunked HDF5, intensity constants, occupancy."""

from pathlib import Path

from job import running
from selma3d.challenge.challenge import ArchivePlace
from selma3d.challenge.samples import Sample
from selma3d.images.conversion.plane_removal import remove_converted_planes
from selma3d.images.conversion.volume_conversion import (
    VolumeSettings,
    channel_sources,
    convert_volume,
)

if __name__ == "__main__":
    with running(snakemake):
        row, work = Sample.read(snakemake.params.row), Path(snakemake.params.work)
        volume, index = Path(snakemake.output.volume), Path(snakemake.output.index)
        archive = ArchivePlace.read(snakemake.params.archive)
        sources = channel_sources(
            Path(archive.folder), row.images, links=tuple(map(Path, archive.links))
        )
        convert_volume(
            sources,
            volume,
            index,
            work,
            sample=row.sample,
            specimen=row.specimen,
            voxel_size_um=snakemake.params.voxel_size_um,
            settings=VolumeSettings(
                snakemake.threads,
                snakemake.params.bad_plane,
                snakemake.params.allow,
                row_voxel_size_um=row.voxel_size_um,
                row_channel=row.channel,
                channel=snakemake.params.channel,
            ),
        )
        if snakemake.params.remove_planes:
            remove_converted_planes(sources, volume, index, work / "removed.tsv")
