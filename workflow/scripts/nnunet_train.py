"""Rule nnunet_train: annotated patches -> nnU-Net's model, zipped, and its history."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.challenge.run import Run
from selma3d.methods.peers import nnunet
from selma3d.methods.peers.learning import Source

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    sources = [
        Source(name, Path(patches), Path(split), channel)
        for name, patches, split, channel in zip(
            snakemake.params.learns,
            snakemake.input.patches,
            snakemake.input.splits,
            snakemake.params.channels,
            strict=True,
        )
    ]
    nnunet.train(
        sources,
        [Path(index) for index in snakemake.input.indexes],
        Run.parse(snakemake.wildcards.run),
        environment=Path(snakemake.params.environment).absolute(),
        settings=snakemake.params.settings,
        threads=snakemake.threads,
        gpu=snakemake.resources.get("gpu", 0) > 0,
        work=Path(snakemake.params.work),
        model=Path(snakemake.output.model),
        history=Path(snakemake.output.history),
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
