"""Rule phantom: the specification of synthetic images -> their files and manifest."""

from pathlib import Path

from job import running
from selma3d.archive import phantom

if __name__ == "__main__":
    with running(snakemake):
        spec = snakemake.params.spec
        phantom.write_archive(Path(snakemake.params.folder), spec, seed=spec["seed"])
