"""Rule finetune: annotated patches, and an encoder or none -> a model and its training history."""

import logging
from pathlib import Path

from job import processes, retry_if_lease_lost, running, scratch, time_budget_s
from selma3d.challenge.checking import check
from selma3d.challenge.recipe import FinetuningRecipe
from selma3d.challenge.run import Run
from selma3d.challenge.source import Source
from selma3d.images import splits
from selma3d.learning import training
from selma3d.learning.training.weight_files import read_encoder


def main() -> None:
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    wildcards = snakemake.wildcards
    recipe = check(FinetuningRecipe, params.recipe, f"method {wildcards.method}")
    run, sources = Run.parse(wildcards.run), tuple(map(Source.read, params.sources))
    encoder, files = inputs.get("encoder"), inputs.get("volumes", [])
    seen = read_encoder(Path(encoder))["volumes"] if encoder else []
    tables, folds = [splits.read_split(path) for path in inputs.splits], [run.fold]
    volumes = training.volume_sources(
        files, params.volume_channels, splits.held_out_specimens(tables, folds)
    )
    specimens = [volume["specimen"] for volume in seen] + training.specimens_of(volumes)
    leak = splits.check_disjoint(tables, specimens, folds=folds)
    logging.info("no specimen in two of training, validation and test: %s", leak)
    with training.read_on_node(volumes, scratch(snakemake)) as near:
        training.finetune(
            training.Finetuning(
                recipe,
                method=wildcards.method,
                target=wildcards.target,
                run=run,
                sources=sources,
                encoder=Path(encoder) if encoder else None,
                volumes=near,
            ),
            training.Outputs(Path(outputs.model), Path(outputs.history)),
            training.Job(
                Path(params.work), snakemake.threads, time_budget_s(snakemake), processes(snakemake)
            ),
        )


if __name__ == "__main__":
    with running(snakemake):
        retry_if_lease_lost(main)
