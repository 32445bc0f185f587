"""Rule submission: a program with the platform's interface, test cases -> predicted masks."""

from pathlib import Path

from job import running
from selma3d.methods.cases import CasesToSegment
from selma3d.methods.submission import segment_cases

if __name__ == "__main__":
    with running(snakemake):
        params, method = snakemake.params, snakemake.wildcards.method
        to_segment = CasesToSegment(
            Path(snakemake.input.cases),
            params.channel,
            Path(snakemake.output.predictions),
            method=method,
            structure=snakemake.wildcards.structure,
        )
        segment_cases(
            to_segment,
            params.settings["command"],
            minutes=params.settings["minutes"],
            places={name: Path(place) for name, place in params.places.items()},
            slugs=params.slugs,
            program_log=Path(snakemake.log.program),
        )
