"""Rule convert_collection: many unannotated patches -> one chunked HDF5, constants by volume."""

from pathlib import Path

from job import running
from selma3d.challenge.challenge import ArchivePlace
from selma3d.challenge.samples import Sample
from selma3d.images.conversion.collection_conversion import (
    CollectionSettings,
    convert_collection,
)
from selma3d.images.conversion.patch_streams import PatchStream

if __name__ == "__main__":
    with running(snakemake):
        row, archive = (
            Sample.read(snakemake.params.row),
            ArchivePlace.read(snakemake.params.archive),
        )
        convert_collection(
            PatchStream(
                Path(archive.folder), row.images, row.volume, tuple(map(Path, archive.links))
            ),
            Path(snakemake.output.collection),
            Path(snakemake.output.index),
            Path(snakemake.params.work),
            sample=row.sample,
            settings=CollectionSettings(
                threads=snakemake.threads,
                allow=snakemake.params.allow,
                specimen=row.specimen,
                row_voxel_size_um=row.voxel_size_um,
                voxel_size_um=snakemake.params.voxel_size_um,
            ),
        )
