"""Rules of methods that are one program in an environment of its own: patches, cases -> masks."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.methods.peers import program
from selma3d.methods.peers.learning import Source

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    method, structure = snakemake.params.method, snakemake.wildcards.structure
    channels = snakemake.params.channels
    volumes = map(Path, snakemake.input.get("volumes", []))
    program.segment_cases(
        [
            Source(Path(split).stem, Path(patches), Path(split), channels[Path(split).stem])
            for patches, split in zip(snakemake.input.patches, snakemake.input.splits, strict=True)
        ],
        list(zip(volumes, snakemake.params.get("volume_channels", []), strict=True)),
        Path(snakemake.input.cases),
        channels[structure],
        Path(snakemake.output.predictions),
        method=method,
        structure=structure,
        program=program.PROGRAMS / method / "program.py",
        environment=Path(snakemake.params.environment).absolute(),
        settings=snakemake.params.settings,
        threads=snakemake.threads,
        gpu=snakemake.resources.get("gpu", 0) > 0,
        words=Path(snakemake.log.words).absolute(),
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
