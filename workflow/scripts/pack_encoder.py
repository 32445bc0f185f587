"""Rule pack_encoder: an encoder -> a zip to share, with card, licences and checksums."""

from pathlib import Path

from job import running
from selma3d.export import shared_encoders

if __name__ == "__main__":
    with running(snakemake):
        shared_encoders.pack(
            Path(snakemake.input.encoder),
            Path(snakemake.input.history),
            Path(snakemake.output.pack),
            method=snakemake.params.method,
            licences=snakemake.params.licences,
        )
