"""Rule check_pack: an encoder made elsewhere, splits and cases -> what was checked of specimens."""

from pathlib import Path
from typing import TYPE_CHECKING

from job import running
from selma3d.images import read_index
from selma3d.images.splits import check_specimens, read_split
from selma3d.learning.training.files import read_encoder
from selma3d.system.atomic import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

    snakemake: Snakemake


def main() -> None:
    seen = read_encoder(Path(snakemake.input.encoder))["volumes"]
    cases = [
        specimen
        for index in snakemake.input.cases
        for specimen in read_index(Path(index))["specimen"]
    ]
    checked = check_specimens(
        map(read_split, snakemake.input.splits),
        [volume["specimen"] for volume in seen],
        cases,
        folds=range(snakemake.params.folds),
    )
    write_table(checked, snakemake.output.checked)


if __name__ == "__main__":
    with running(snakemake):
        main()
