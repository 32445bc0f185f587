"""Rule instances: the mask of a volume -> a number for each of its objects."""

from pathlib import Path

from job import running
from selma3d.inference.instances import Splitting, write_instances

if __name__ == "__main__":
    with running(snakemake):
        write_instances(
            Path(snakemake.input.mask),
            Path(snakemake.output.labels),
            Splitting(**snakemake.params.splitting),
        )
