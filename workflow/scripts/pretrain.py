"""Rule pretrain: unannotated volumes of one group -> an encoder and its training history."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import processes, retry_if_lease_lost, running, time_budget_s
from selma3d.learning import training

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    recipe, wildcards = snakemake.params.recipe, snakemake.wildcards
    training.pretrain(
        [
            {
                "path": volume,
                "sample": Path(volume).stem,
                "channel": channel,
                "weight": 1.0,
            }
            for volume, channel in zip(
                snakemake.input.volumes,
                snakemake.params.channels,
                strict=True,
            )
        ],
        network=recipe["network"],
        pretext=recipe["pretext"],
        input=recipe["input"],
        seed=int(wildcards.seed),
        method=wildcards.method,
        group=wildcards.group,
        encoder=Path(snakemake.output.encoder),
        history=Path(snakemake.output.history),
        work=Path(snakemake.params.work),
        threads=snakemake.threads,
        time_budget_s=time_budget_s(snakemake),
        processes=processes(snakemake),
    )


if __name__ == "__main__":
    with running(snakemake):
        retry_if_lease_lost(main)
