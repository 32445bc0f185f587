"""Rules convert_patches, convert_cases: published images and masks -> one HDF5 and its index."""

from pathlib import Path

from job import running
from selma3d.challenge.challenge import AnnotatedImages, ArchivePlace
from selma3d.images.conversion.patch_conversion import PatchSettings, convert_patches

if __name__ == "__main__":
    with running(snakemake):
        images = AnnotatedImages.read(snakemake.params.images)
        archive = ArchivePlace.read(snakemake.params.archive)
        convert_patches(
            Path(archive.folder),
            images.folder,
            images.rows,
            Path(snakemake.output.patches),
            Path(snakemake.output.index),
            structure=images.structure,
            settings=PatchSettings(
                snakemake.params.kind,
                images.voxel_size_um,
                snakemake.params.allow,
                channel=images.channel,
                links=tuple(map(Path, archive.links)),
            ),
        )
