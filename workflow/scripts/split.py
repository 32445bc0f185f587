"""Rule split: the index of a structure's patches -> the role of each in every fold."""

from pathlib import Path

from job import running
from selma3d.images import read_index
from selma3d.images.splits import make_split
from selma3d.system.atomic import write_table

if __name__ == "__main__":
    with running(snakemake):
        shares = snakemake.params.shares
        split = make_split(
            read_index(Path(snakemake.input.index)),
            structure=snakemake.params.structure,
            role_of=snakemake.params.roles,
            fractions={"validation": shares["validation"], "test": shares["test"]},
            cases_given=snakemake.params.cases_given,
            seed=shares["seed"],
        )
        write_table(split, snakemake.output.split)
