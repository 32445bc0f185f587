"""Rule convert_volume: planes of one volume -> chunked HDF5, intensity constants, occupancy."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.convert.channels import channel_sources
from selma3d.convert.volumes import convert_volume

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    row = snakemake.params.row
    convert_volume(
        channel_sources(Path(snakemake.params.archives) / row["archive"], row["image"]),
        Path(snakemake.output.volume),
        Path(snakemake.output.index),
        Path(snakemake.params.work),
        sample=row["sample"],
        specimen=row["specimen"],
        voxel_size_um=snakemake.params.voxel_size_um,
        threads=snakemake.threads,
        on_bad_plane=snakemake.params.bad_plane,
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
