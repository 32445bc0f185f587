"""Rule pretraining_throughput: volumes and a recipe -> steps a second, and the best settings."""

from pathlib import Path

from job import running
from selma3d.challenge.checking import check
from selma3d.challenge.encoder import Encoder
from selma3d.challenge.recipe import PretrainingRecipe
from selma3d.learning import training

if __name__ == "__main__":
    with running(snakemake):
        method, pretext = snakemake.wildcards.method, snakemake.wildcards.pretext
        params = snakemake.params
        training.measure_pretraining(
            training.Pretraining(
                check(PretrainingRecipe, params.recipe, f"method {method}"),
                Encoder(method, "throughput", pretext, seed=0),
                training.volume_sources(snakemake.input.volumes, params.channels),
            ),
            Path(snakemake.output.table),
            training.Job(Path(params.work), snakemake.threads),
        )
