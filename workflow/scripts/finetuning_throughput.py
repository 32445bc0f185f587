"""Rule finetuning_throughput: annotated patches and a recipe -> steps a second."""

from pathlib import Path

from job import running
from selma3d.challenge.checking import check
from selma3d.challenge.recipe import FinetuningRecipe
from selma3d.challenge.run import Run
from selma3d.challenge.source import Source
from selma3d.learning import training


def main() -> None:
    inputs, params, method = snakemake.input, snakemake.params, snakemake.wildcards.method
    training.measure_finetuning(
        training.Finetuning(
            check(FinetuningRecipe, params.recipe, f"method {method}"),
            method=method,
            target="throughput",
            run=Run("scratch"),
            sources=tuple(
                Source(name, Path(patches), Path(split), channel)
                for name, patches, split, channel in zip(
                    params.learns, inputs.patches, inputs.splits, params.channels, strict=True
                )
            ),
            channels=dict(zip(params.learns, params.channels, strict=True)),
        ),
        Path(snakemake.output.table),
        training.Job(Path(params.work), snakemake.threads),
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
