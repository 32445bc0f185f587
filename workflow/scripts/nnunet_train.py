"""Rule nnunet_train: annotated patches -> nnU-Net's model, zipped, and its history."""

from pathlib import Path

from job import gpus_asked, running
from selma3d.challenge.checking import check
from selma3d.challenge.run import Run
from selma3d.challenge.source import Source
from selma3d.methods.peers import nnunet
from selma3d.methods.peers.environment import Environment

if __name__ == "__main__":
    with running(snakemake):
        params = snakemake.params
        nnunet.train(
            [Source.read(source) for source in params.sources],
            Run.parse(snakemake.wildcards.run),
            environment=Environment(
                Path(params.environment).absolute(),
                snakemake.threads,
                gpu=gpus_asked(snakemake) > 0,
            ),
            settings=check(nnunet.NNUNetSettings, params.settings, "method nnunet: settings"),
            work=Path(params.work),
            model=Path(snakemake.output.model),
            history=Path(snakemake.output.history),
        )
