"""Rule volume_stacks: volumes, masks of them -> stacks for the viewer, and reduced images."""

from pathlib import Path

from job import running
from selma3d.export.reduced_volume import export_reduced_volume
from selma3d.report.cases.whole_volumes import write_volume_stack
from selma3d.report.shown import ShownVolume

if __name__ == "__main__":
    with running(snakemake):
        volumes = [ShownVolume.read(plain) for plain in snakemake.params.volumes]
        paths = (snakemake.output.stacks, snakemake.output.images)
        for shown, stack, image in zip(volumes, *paths, strict=True):
            write_volume_stack(shown, stack)
            export_reduced_volume(shown, Path(image))
