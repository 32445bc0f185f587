"""Rules classical, threshold_method: training patches, test cases -> masks by classical filters."""

from pathlib import Path

from job import running
from selma3d.challenge.checking import check
from selma3d.challenge.source import Source
from selma3d.methods.cases import CasesToSegment
from selma3d.methods.classical.choice import GRIDS, segment_cases

if __name__ == "__main__":
    with running(snakemake):
        params = snakemake.params
        to_segment = CasesToSegment(
            Path(snakemake.input.cases),
            params.channel,
            Path(snakemake.output.predictions),
            method=params.method,
            structure=snakemake.wildcards.structure,
        )
        key = "" if params.kind == params.method else f": {params.kind}"
        grid = check(GRIDS[params.kind], params.grid, f"method {params.method}: settings{key}")
        segment_cases([Source.read(source) for source in params.sources], to_segment, grid)
