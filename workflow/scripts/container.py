"""Rule container: a model -> the context of a Grand Challenge container."""

from pathlib import Path

from job import running
from selma3d.export.container import pack_container
from selma3d.inference import load_model

if __name__ == "__main__":
    with running(snakemake):
        pack_container(
            load_model(
                Path(snakemake.input.model),
                device="cpu",
                channels={snakemake.wildcards.structure: snakemake.params.channel},
            ),
            Path(snakemake.output.context),
            structure=snakemake.wildcards.structure,
            slugs=snakemake.params.slugs,
            overlap=snakemake.params.overlap,
        )
