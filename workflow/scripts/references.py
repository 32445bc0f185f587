"""Rule references: test cases of a structure -> a table of the scores that their labels allow."""

from pathlib import Path

from job import running
from selma3d.scoring.references import reference_table
from selma3d.system.atomic import write_table

if __name__ == "__main__":
    with running(snakemake):
        references = reference_table(
            Path(snakemake.input.cases), snakemake.wildcards.structure, snakemake.params.channel
        )
        write_table(references, snakemake.output.references)
