"""Rule finetune: annotated patches, and an encoder or none -> a model and its training history."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from job import processes, retry_if_lease_lost, running, time_budget_s
from selma3d.challenge.run import Run
from selma3d.images import read_index, splits
from selma3d.learning import training

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    recipe, channels = snakemake.params.recipe, snakemake.params.channels
    run = Run.parse(snakemake.wildcards.run)
    encoder = snakemake.input.get("encoder")
    volumes = unannotated(snakemake.input.get("volumes", []))
    specimens = [
        specimen
        for index in snakemake.input.get("volume_indexes", [])
        for specimen in read_index(index)["specimen"]
    ]
    leak = splits.check_disjoint(
        map(splits.read_split, snakemake.input.splits), specimens, folds=[run.fold]
    )
    logging.info("no specimen in two of training, validation and test: %s", leak)
    training.finetune(
        [
            {
                "structure": name,
                "patches": patches,
                "split": split,
                "channel": channels[name],
            }
            for name, patches, split in zip(
                snakemake.params.learns,
                snakemake.input.patches,
                snakemake.input.splits,
                strict=True,
            )
        ],
        network=recipe["network"],
        finetune=recipe["finetune"],
        input=recipe["input"],
        init=run.init,
        encoder=Path(encoder) if encoder else None,
        pretrain_equivalent_steps=recipe["pretraining_steps"],
        budget=None if run.budget == "all" else int(run.budget),
        fold=run.fold,
        seed=run.seed,
        method=snakemake.wildcards.method,
        target=snakemake.wildcards.target,
        structures={name: {"channel": channel} for name, channel in channels.items()},
        model=Path(snakemake.output.model),
        history=Path(snakemake.output.history),
        work=Path(snakemake.params.work),
        volumes=volumes,
        threads=snakemake.threads,
        time_budget_s=time_budget_s(snakemake),
        processes=processes(snakemake),
    )


def unannotated(paths: list[str]) -> list[dict]:
    """The volumes that a recipe with `collaboration` learns from beside the patches."""
    if not paths:
        return []
    return [
        {"path": path, "sample": Path(path).stem, "channel": channel, "weight": 1.0}
        for path, channel in zip(paths, snakemake.params.volume_channels, strict=True)
    ]


if __name__ == "__main__":
    with running(snakemake):
        retry_if_lease_lost(main)
