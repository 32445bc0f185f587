"""Rule unpack_encoder: a pack made elsewhere -> the encoder that a recipe starts from."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.export import shared_encoders as packs
from selma3d.images import splits

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    held_out = [splits.read_split(split) for split in snakemake.input.splits]

    def check(content: dict) -> None:
        specimens = [volume["specimen"] for volume in content["volumes"]]
        leak = splits.check_disjoint(held_out, specimens)
        logging.info("no validation or test specimen among the pack's volumes: %s", leak)

    packs.unpack(
        Path(snakemake.input.pack),
        Path(snakemake.output.encoder),
        Path(snakemake.output.history),
        input=snakemake.params.input,
        check=check,
    )


if __name__ == "__main__":
    with running(snakemake):
        main()
