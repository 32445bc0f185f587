"""Rule threshold_method: training patches, test cases -> masks by one threshold."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.methods.threshold import segment_cases

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    names = [Path(split).stem for split in snakemake.input.splits]
    segment_cases(
        list(zip(names, snakemake.input.patches, snakemake.input.splits, strict=True)),
        snakemake.params.channels,
        Path(snakemake.input.cases),
        Path(snakemake.output.predictions),
        method="threshold",
        structure=snakemake.wildcards.structure,
        settings=snakemake.params.settings,
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
