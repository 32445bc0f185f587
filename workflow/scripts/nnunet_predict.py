"""Rules nnunet_predict_<target>: nnU-Net's model and test cases -> predicted masks."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.methods.peers import nnunet

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    predictions = [Path(path) for path in snakemake.output.predictions]
    places = zip(
        map(Path, snakemake.input.cases), snakemake.params.channels, predictions, strict=True
    )
    nnunet.predict(
        Path(snakemake.input.model),
        Path(snakemake.input.history),
        dict(zip(snakemake.params.structures, places, strict=True)),
        environment=Path(snakemake.params.environment).absolute(),
        settings=snakemake.params.settings,
        threads=snakemake.threads,
        gpu=snakemake.resources.get("gpu", 0) > 0,
        method="nnunet",
        run_name=predictions[0].stem,
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
