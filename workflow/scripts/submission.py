"""Rule submission: a program with the platform's interface, test cases -> predicted masks."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.methods.submission import segment_cases

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    settings = snakemake.params.settings
    segment_cases(
        settings["command"],
        Path(snakemake.input.cases),
        snakemake.params.channel,
        Path(snakemake.output.predictions),
        method=snakemake.wildcards.method,
        structure=snakemake.wildcards.structure,
        places={name: Path(place) for name, place in snakemake.params.places.items()},
        slugs=snakemake.params.slugs,
        minutes=settings["minutes"],
        words=Path(snakemake.log.words),
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
