"""Rule metrics_json: a run's scores -> the organisers' metrics.json."""

from pathlib import Path

from job import running
from selma3d.export.metrics_json import write_metrics_json

if __name__ == "__main__":
    with running(snakemake):
        write_metrics_json(
            Path(snakemake.input.scores),
            snakemake.wildcards.run,
            snakemake.params.profile,
            Path(snakemake.output.metrics),
        )
