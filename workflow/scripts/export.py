"""Rules export…: the mask of a volume, or its labels -> a file for other programs."""

from pathlib import Path

from job import running
from selma3d.export import export_instances, export_segmentation

if __name__ == "__main__":
    with running(snakemake):
        exported = Path(snakemake.output.exported)
        if "labels" in snakemake.input.keys():  # noqa: SIM118 - a list with names
            export_instances(Path(snakemake.input.labels), exported)
        else:
            export_segmentation(Path(snakemake.input.mask), exported)
