"""Rule objects: mask and labels of a volume -> tables of objects, vessels, regions; density."""

from pathlib import Path

from job import running
from selma3d.challenge.config import Regions
from selma3d.inference.brain_tables import BrainTables, write_brain_tables

if __name__ == "__main__":
    with running(snakemake):
        annotation = snakemake.params.annotation
        write_brain_tables(
            Path(snakemake.input.mask),
            Path(snakemake.input.labels),
            Path(snakemake.input.volume),
            BrainTables(**{name: Path(path) for name, path in snakemake.output.items()}),
            channel=snakemake.params.channel,
            density_um=snakemake.params.density_um,
            annotation=None if annotation is None else Path(annotation),
            regions=Regions.read(snakemake.params.regions),
        )
