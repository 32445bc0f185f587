"""Rule foreign: masks that someone else made -> predictions of the test cases."""

from pathlib import Path

from job import running
from selma3d.images import read_index
from selma3d.methods.foreign import convert_foreign

if __name__ == "__main__":
    with running(snakemake):
        convert_foreign(
            Path(snakemake.params.predictions),
            Path(snakemake.input.cases),
            Path(snakemake.output.predictions),
            method=snakemake.wildcards.method,
            structure=snakemake.wildcards.structure,
            structures=snakemake.params.structures,
            cases_of_others={
                Path(index).parent.name: list(read_index(index)["id"])
                for index in snakemake.input.others
            },
        )
