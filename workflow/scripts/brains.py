"""Rule brains: the numbers of all segmented volumes -> one table, means by group, a page."""

from pathlib import Path

from job import running
from selma3d.report.brains.all_brains import Tables, write_brains

if __name__ == "__main__":
    with running(snakemake):
        write_brains(
            [Path(path) for path in snakemake.input.summaries],
            [Path(path) for path in snakemake.input.regions],
            snakemake.params.title,
            Tables(**{name: Path(path) for name, path in snakemake.output.items()}),
        )
