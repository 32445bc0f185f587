"""Rules nnunet_predict_<target>: nnU-Net's model and test cases -> predicted masks."""

from pathlib import Path

from job import gpus_asked, running
from selma3d.challenge.checking import check
from selma3d.methods.cases import CasesToSegment
from selma3d.methods.peers import nnunet
from selma3d.methods.peers.environment import Environment

if __name__ == "__main__":
    with running(snakemake):
        params = snakemake.params
        to_segment = [
            CasesToSegment(
                Path(cases), channel, Path(predictions), "nnunet", structure, Path(predictions).stem
            )
            for cases, channel, predictions, structure in zip(
                snakemake.input.cases,
                params.channels,
                snakemake.output.predictions,
                params.structures,
                strict=True,
            )
        ]
        nnunet.predict(
            Path(snakemake.input.model),
            Path(snakemake.input.history),
            to_segment,
            environment=Environment(
                Path(params.environment).absolute(),
                snakemake.threads,
                gpu=gpus_asked(snakemake) > 0,
            ),
            settings=check(nnunet.NNUNetSettings, params.settings, "method nnunet: settings"),
        )
