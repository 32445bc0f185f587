"""Rule pretraining_throughput: volumes and a recipe -> steps a second, and what to choose."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.learning import training

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    recipe = snakemake.params.recipe
    training.measure_throughput(
        [
            {"path": path, "sample": Path(path).stem, "channel": channel, "weight": 1.0}
            for path, channel in zip(
                snakemake.input.volumes, snakemake.params.channels, strict=True
            )
        ],
        network=recipe["network"],
        pretext=recipe["pretext"],
        input=recipe["input"],
        table=snakemake.output.table,
        work=snakemake.params.work,
        threads=snakemake.threads,
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
