"""Rule brain_page: the mask of a volume and its tables -> one page, and its numbers in a row."""

from pathlib import Path

from job import running
from selma3d.report.brains.facts import Named
from selma3d.report.brains.page import BrainFiles, write_brain_page

ONE = ("volume", "mask", "labels", "objects", "vessels", "regions", "density", "history")


if __name__ == "__main__":
    with running(snakemake):
        inputs = snakemake.input
        write_brain_page(
            BrainFiles(
                **{name: Path(inputs[name]) for name in ONE},
                training=tuple(map(Path, inputs.training)),
                exported=tuple(map(Path, inputs.exported)),
            ),
            Named(**snakemake.params.named),
            snakemake.params.channel,
            snakemake.params.settings,
            Path(snakemake.output.page),
            Path(snakemake.output.summary),
        )
