"""Rule ways: histories of fine-tuning -> a table of its ways and rates, on validation patches."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.report.ways import as_markdown, compare_ways
from selma3d.system.atomic import publish, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


if __name__ == "__main__":
    with running(snakemake):
        trainings, histories = snakemake.params.trainings, snakemake.input.histories
        table = compare_ways(
            (*training, history) for training, history in zip(trainings, histories, strict=True)
        )
        write_table(table, Path(snakemake.output.table))
        with publish(Path(snakemake.output.text)) as temporary:
            temporary.write_text(as_markdown(table))
