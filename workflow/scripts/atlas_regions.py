"""Rule atlas_regions: the name of an atlas -> the table of its regions."""

from pathlib import Path

from job import running
from selma3d.methods.peers.brainreg import write_atlas_regions
from selma3d.methods.peers.environment import Environment

if __name__ == "__main__":
    with running(snakemake):
        write_atlas_regions(
            snakemake.wildcards.atlas,
            Path(snakemake.output.regions),
            Environment(Path(snakemake.params.environment).absolute()),
            Path(snakemake.log.program).absolute(),
        )
