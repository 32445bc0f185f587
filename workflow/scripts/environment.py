"""Rule environment: exact pins -> a virtual environment of a method's own, and what is in it."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.methods.peers import environment

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    folder = Path(snakemake.params.folder)
    modules, installed = snakemake.params.modules, Path(snakemake.output.installed)
    words = Path(snakemake.log.words)
    if snakemake.params.existing:
        environment.record(folder, modules, installed, words)
    else:
        environment.build(Path(snakemake.input.pins), modules, folder, installed, words)


if __name__ == "__main__":
    with running(snakemake):
        main()
