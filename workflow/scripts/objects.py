"""Rule objects: the mask of a volume -> its objects, and vessel statistics of its blocks."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.inference.objects import write_objects
from selma3d.inference.vessels import write_vessels

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    mask = Path(snakemake.input.mask)
    write_objects(
        mask,
        Path(snakemake.input.volume),
        Path(snakemake.output.objects),
        channel=snakemake.params.channel,
    )
    write_vessels(mask, Path(snakemake.output.vessels))


if __name__ == "__main__":
    with running(snakemake):
        main()
