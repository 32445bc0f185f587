"""Rule download: a source of images -> its files, verified, and a receipt."""

from pathlib import Path

from job import running
from selma3d import archive
from selma3d.challenge.config import Download
from selma3d.challenge.edition import Archive
from selma3d.system.errors import InputError

if __name__ == "__main__":
    with running(snakemake):
        name, source = snakemake.params.name, Archive.read(snakemake.params.source)
        if source.kind == "slot":
            raise InputError(
                f"config: archives.{name}: expected a source, found an empty slot. {source.note}"
            )
        limits = Download.read(snakemake.params.limits)
        manifest = snakemake.input[0] if snakemake.input else source.manifest
        archive.fetch(
            source,
            Path(manifest) if manifest else None,
            Path(snakemake.params.folder),
            Path(snakemake.output.receipt),
            work=Path(snakemake.params.work),
            settings=archive.DownloadSettings(
                workers=limits.workers,
                per_host=limits.per_host,
                retries=limits.retries,
                min_free_bytes=round(limits.min_free_gb * 1e9),
            ),
        )
