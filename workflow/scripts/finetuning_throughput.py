"""Rule finetuning_throughput: annotated patches and a recipe -> steps a second."""

from typing import TYPE_CHECKING

from job import running
from selma3d.learning import training

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    recipe, inputs, params = snakemake.params.recipe, snakemake.input, snakemake.params
    training.measure_finetuning(
        [
            {"structure": name, "patches": patches, "split": split, "channel": channel}
            for name, patches, split, channel in zip(
                params.learns, inputs.patches, inputs.splits, params.channels, strict=True
            )
        ],
        network=recipe["network"],
        finetune=recipe["finetune"],
        input=recipe["input"],
        table=snakemake.output.table,
        work=params.work,
        threads=snakemake.threads,
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
