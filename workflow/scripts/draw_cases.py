"""Rule draw_cases: annotated patches and their split -> the test patches as cases."""

from pathlib import Path

from job import running
from selma3d.images.conversion.patch_conversion import cases_from_split
from selma3d.images.splits import read_split

if __name__ == "__main__":
    with running(snakemake):
        cases_from_split(
            Path(snakemake.input.patches),
            read_split(Path(snakemake.input.split)),
            Path(snakemake.output.cases),
            Path(snakemake.output.index),
        )
