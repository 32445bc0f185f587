"""Rule table: a track's ranking tables -> one table, for reading and for printing."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from job import running
from selma3d.report import tables

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    tables.write(
        snakemake.params.name,
        {Path(path).stem: pd.read_csv(path, sep="\t") for path in snakemake.input.tables},
        outputs=dict(snakemake.output.items()),
        **snakemake.params.shown,
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
