"""Rule finetuning_throughput: annotated patches and a recipe -> steps a second."""

from pathlib import Path

from job import running
from selma3d.challenge.checking import check
from selma3d.challenge.recipe import FinetuningRecipe
from selma3d.challenge.run import Run
from selma3d.challenge.source import Source
from selma3d.learning import training

if __name__ == "__main__":
    with running(snakemake):
        inputs, params, method = snakemake.input, snakemake.params, snakemake.wildcards.method
        sources = tuple(
            Source(name, Path(patches), Path(split), channel)
            for name, patches, split, channel in zip(
                params.learns, inputs.patches, inputs.splits, params.channels, strict=True
            )
        )
        assigned = training.Finetuning(
            check(FinetuningRecipe, params.recipe, f"method {method}"),
            method=method,
            target="throughput",
            run=Run("scratch"),
            sources=sources,
        )
        job = training.Job(Path(params.work), snakemake.threads)
        training.measure_as_it_stands(
            training.prepare_finetuning(assigned, job), Path(snakemake.output.table)
        )
