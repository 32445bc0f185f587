"""Rule histories: training histories -> figures of their losses and validation scores."""

from typing import TYPE_CHECKING

from job import running
from selma3d.challenge.display import Display
from selma3d.report.histories import draw_histories

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    display = Display.read(snakemake.params.display)
    histories, output = snakemake.params.histories.values(), snakemake.output
    for by_label, svg, pdf, png in zip(histories, output.svg, output.pdf, output.png, strict=True):
        draw_histories(by_label, display, {"svg": svg, "pdf": pdf, "png": png})


if __name__ == "__main__":
    with running(snakemake):
        main()
