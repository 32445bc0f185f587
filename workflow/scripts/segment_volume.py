"""Rule segment_volume: a model and a volume -> the volume's mask."""

from pathlib import Path

from job import retry_if_lease_lost, running
from selma3d import inference


def main() -> None:
    inference.segment_volume(
        inference.load_model(
            Path(snakemake.input.model),
            threads=snakemake.threads,
            channels={snakemake.wildcards.structure: snakemake.params.channel},
        ),
        Path(snakemake.input.volume),
        Path(snakemake.output.mask),
        work=Path(snakemake.params.work),
        structure=snakemake.wildcards.structure,
        settings=inference.WindowSettings(**snakemake.params.settings),
    )


if __name__ == "__main__":
    with running(snakemake):
        retry_if_lease_lost(main)
