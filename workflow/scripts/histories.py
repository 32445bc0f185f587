"""Rule histories: training histories -> a figure of their losses and validation scores."""

from typing import TYPE_CHECKING

from job import running
from selma3d.report.figures.histories import draw_histories

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    shown = snakemake.params.shown
    draw_histories(
        snakemake.params.labels,
        dict(snakemake.output.items()),
        partial=shown["partial"],
        note=shown["note"],
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
