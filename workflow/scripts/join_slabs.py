"""Rule join_slabs: the slabs of a volume -> its mask."""

from pathlib import Path

from job import running
from selma3d import inference

if __name__ == "__main__":
    with running(snakemake):
        inference.gather_slabs(
            [Path(slab) for slab in snakemake.input.slabs],
            Path(snakemake.output.mask),
            min_component_voxels=inference.load_model(
                Path(snakemake.input.model), device="cpu"
            ).min_component_voxels,
        )
