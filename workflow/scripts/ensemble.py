"""Rule ensemble: predictions of several methods -> one, by vote."""

from pathlib import Path

from job import running
from selma3d.methods.vote import vote

if __name__ == "__main__":
    with running(snakemake):
        vote(
            [Path(member) for member in snakemake.input.members],
            Path(snakemake.output.predictions),
            combine=snakemake.params.combine,
            method="ensemble",
            structure=snakemake.wildcards.structure,
            run=snakemake.wildcards.run,
        )
