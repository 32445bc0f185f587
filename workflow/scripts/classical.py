"""Rule classical: training patches, test cases -> masks by classical filters."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.methods.classical.choice import segment_cases
from selma3d.methods.peers.learning import Source

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    channels, structure = snakemake.params.channels, snakemake.wildcards.structure
    sources = [
        Source(Path(split).stem, Path(patches), Path(split), channels[Path(split).stem])
        for patches, split in zip(snakemake.input.patches, snakemake.input.splits, strict=True)
    ]
    segment_cases(
        sources,
        snakemake.params.kind,
        snakemake.params.grid,
        Path(snakemake.input.cases),
        channels[structure],
        Path(snakemake.output.predictions),
        method="classical",
        structure=structure,
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
