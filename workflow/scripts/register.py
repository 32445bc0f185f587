"""Rule register: a volume and an atlas -> the atlas's regions, laid over the volume."""

from pathlib import Path

from job import running
from selma3d.challenge.config import Registration
from selma3d.methods.peers.brainreg import register
from selma3d.methods.peers.environment import Environment

if __name__ == "__main__":
    with running(snakemake):
        params = snakemake.params
        register(
            Path(snakemake.input.volume),
            Registration.read(params.registration),
            params.channel,
            Path(snakemake.output.facts).parent,
            Path(params.work).absolute(),
            names=Path(snakemake.input.regions),
            environment=Environment(Path(params.environment).absolute(), snakemake.threads),
            program_log=Path(snakemake.log.program).absolute(),
        )
