"""Rule figure: a track's ranking tables -> one figure."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from job import running
from selma3d.report.figures.drawing import draw

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    tables = {Path(path).stem: pd.read_csv(path, sep="\t") for path in snakemake.input.tables}
    tables["reported"] = pd.read_csv(snakemake.input.reported, sep="\t")
    draw(
        snakemake.params.name,
        tables,
        outputs=dict(snakemake.output.items()),
        **snakemake.params.shown,
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
