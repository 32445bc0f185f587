"""Rules of methods that are one program of another package: patches, test cases -> masks."""

from pathlib import Path

from job import gpus_asked, running
from selma3d.challenge.checking import check
from selma3d.challenge.source import Source
from selma3d.methods.cases import CasesToSegment
from selma3d.methods.peers import one_program
from selma3d.methods.peers.environment import Environment

if __name__ == "__main__":
    with running(snakemake):
        params = snakemake.params
        volumes = map(Path, snakemake.input.get("volumes", []))
        to_segment = CasesToSegment(
            Path(snakemake.input.cases),
            params.channel,
            Path(snakemake.output.predictions),
            method=params.method,
            structure=snakemake.wildcards.structure,
        )
        one_program.segment_cases(
            [Source.read(source) for source in params.sources],
            list(zip(volumes, params.get("volume_channels", []), strict=True)),
            to_segment,
            program=one_program.PROGRAMS / params.method / "program.py",
            environment=Environment(
                Path(params.environment).absolute(),
                snakemake.threads,
                gpu=gpus_asked(snakemake) > 0,
            ),
            settings=check(
                one_program.ProgramSettings, params.settings, f"method {params.method}: settings"
            ),
            program_log=Path(snakemake.log.program).absolute(),
        )
