"""Rule phantom: the specification of synthetic images -> their files and manifest."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.archive import phantom

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    spec = snakemake.params.spec
    phantom.write_archive(Path(snakemake.params.folder), spec, seed=spec["seed"])


if __name__ == "__main__":
    with running(snakemake):
        main()
