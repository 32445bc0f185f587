"""Rule panel: test cases, predictions and their scores -> a figure of images."""

from typing import TYPE_CHECKING

import pandas as pd

from job import running
from selma3d.report.figures.panels import draw_panel

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    draw_panel(
        snakemake.wildcards.structure,
        snakemake.input.cases,
        dict(zip(snakemake.params.labels, snakemake.input.predictions, strict=True)),
        pd.read_csv(snakemake.input.scores, sep="\t", dtype={"case": str}),
        outputs=dict(snakemake.output.items()),
        channel=snakemake.params.channel,
        **snakemake.params.shown,
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
