"""Rule pretrain: unannotated volumes of one group -> an encoder and its training history."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from job import processes, retry_if_lease_lost, running, time_budget_s
from selma3d.challenge.checking import check
from selma3d.challenge.encoder import Encoder
from selma3d.challenge.recipe import PretrainingRecipe
from selma3d.images import read_index, splits
from selma3d.learning import training

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    wildcards = snakemake.wildcards
    recipe = check(PretrainingRecipe, params.recipe, f"method {wildcards.method}")
    specimens = [s for index in inputs.indexes for s in read_index(index)["specimen"]]
    # Further folds may be asked for later: their fine-tunings check what the encoder has seen.
    leak = splits.check_disjoint(map(splits.read_split, inputs.splits), specimens, folds=[0])
    logging.info("no validation or test specimen among the volumes: %s", leak)
    training.pretrain(
        training.Pretraining(
            recipe,
            Encoder(wildcards.method, wildcards.group, wildcards.pretext, int(wildcards.seed)),
            tuple(map(training.VolumeSource, map(Path, inputs.volumes), params.channels)),
        ),
        training.Outputs(Path(outputs.encoder), Path(outputs.history)),
        training.Job(
            Path(params.work), snakemake.threads, time_budget_s(snakemake), processes(snakemake)
        ),
    )


if __name__ == "__main__":
    with running(snakemake):
        retry_if_lease_lost(main)
