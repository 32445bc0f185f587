"""Rule score: test cases and all predictions of a method for them -> one score table."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.atomic import write_table
from selma3d.scoring import score_predictions

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    params = snakemake.params
    scores = score_predictions(
        Path(snakemake.input.cases),
        [(Path(path).stem, Path(path)) for path in snakemake.input.predictions],
        method=snakemake.wildcards.method,
        edition=params.edition,
        phase=params.phase,
        profile=params.profile,
        tracks=params.tracks,
        **params.structure,
    )
    write_table(scores, snakemake.output.scores)


if __name__ == "__main__":
    with running(snakemake):
        main()
