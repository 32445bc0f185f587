"""Rules export and export_zarr: the mask of a volume -> a file for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.export import export_segmentation

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    export_segmentation(Path(snakemake.input.mask), Path(snakemake.output.exported))


if __name__ == "__main__":
    with running(snakemake):
        main()
