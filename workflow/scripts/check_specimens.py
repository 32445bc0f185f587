"""Rule check_specimens: splits, cases and volumes of a group -> the check of their specimens."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.images import read_index
from selma3d.images.splits import check_specimens, read_split
from selma3d.system.atomic import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    volumes, cases = (
        [specimen for index in indexes for specimen in read_index(Path(index))["specimen"]]
        for indexes in (snakemake.input.volumes, snakemake.input.cases)
    )
    splits = map(read_split, snakemake.input.splits)
    checked = check_specimens(splits, volumes, cases, folds=range(snakemake.params.folds))
    write_table(checked, snakemake.output.checked)


if __name__ == "__main__":
    with running(snakemake):
        main()
