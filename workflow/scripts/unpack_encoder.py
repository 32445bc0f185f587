"""Rule unpack_encoder: a pack made elsewhere -> the encoder that a recipe starts from."""

from pathlib import Path

from job import running
from selma3d.challenge.checking import check
from selma3d.challenge.recipe import Input
from selma3d.export import shared_encoders

if __name__ == "__main__":
    with running(snakemake):
        shared_encoders.unpack(
            Path(snakemake.input.pack),
            Path(snakemake.output.encoder),
            Path(snakemake.output.history),
            input=check(Input, snakemake.params.input, "recipe: input"),
        )
