"""Rule segment_volume: the slabs of a volume -> its mask."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d import inference

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    inference.gather_slabs(
        [Path(slab) for slab in snakemake.input.slabs],
        Path(snakemake.output.mask),
        min_component_voxels=inference.load_model(
            Path(snakemake.input.model), device="cpu"
        ).min_component_voxels,
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
