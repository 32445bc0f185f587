"""Rule overview: annotated images of a structure -> a figure and a table to check them by."""

from pathlib import Path

from job import running
from selma3d.images.overview import overview

if __name__ == "__main__":
    with running(snakemake):
        overview(
            Path(snakemake.input.patches),
            snakemake.wildcards.structure,
            {"svg": Path(snakemake.output.svg), "png": Path(snakemake.output.png)},
            Path(snakemake.output.table),
            snakemake.params.channel,
        )
