"""Rule pretrain: unannotated volumes of one group -> an encoder and its training history."""

import logging
from pathlib import Path

from job import processes, retry_if_lease_lost, running, scratch, time_budget_s
from selma3d.challenge.checking import check
from selma3d.challenge.encoder import Encoder
from selma3d.challenge.recipe import PretrainingRecipe
from selma3d.images import splits
from selma3d.learning import training


def main() -> None:
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    wildcards = snakemake.wildcards
    recipe = check(PretrainingRecipe, params.recipe, f"method {wildcards.method}")
    # Further folds may be asked for later: their fine-tunings check what the encoder has seen.
    tables, folds = [splits.read_split(path) for path in inputs.splits], [0]
    volumes = training.volume_sources(
        inputs.volumes, params.channels, splits.held_out_specimens(tables, folds)
    )
    leak = splits.check_disjoint(tables, training.specimens_of(volumes), folds=folds)
    logging.info("no validation or test specimen among the volumes: %s", leak)
    with training.read_on_node(volumes, scratch(snakemake)) as near:
        training.pretrain(
            training.Pretraining(
                recipe,
                Encoder(wildcards.method, wildcards.group, wildcards.pretext, int(wildcards.seed)),
                near,
            ),
            training.Outputs(Path(outputs.encoder), Path(outputs.history)),
            training.Job(
                Path(params.work), snakemake.threads, time_budget_s(snakemake), processes(snakemake)
            ),
        )


if __name__ == "__main__":
    with running(snakemake):
        retry_if_lease_lost(main)
