"""Rule list_archive: an archive's own list of files -> the manifest that its download follows."""

import logging
import shutil
from pathlib import Path

from job import running
from selma3d import archive
from selma3d.challenge.edition import Archive
from selma3d.system.errors import InputError

if __name__ == "__main__":
    with running(snakemake):
        name, source = snakemake.params.name, Archive.read(snakemake.params.source)
        manifest = Path(snakemake.output.manifest)
        known = Path(source.manifest) if source.manifest else None
        if known is not None and known.exists():
            shutil.copyfile(known, manifest)  # the checksums that it states stay binding
        try:
            settings = archive.DownloadSettings(retries=snakemake.params.retries)
            difference = archive.refresh(source, manifest, settings=settings)
        except InputError as error:
            raise InputError(
                f"archive {name}: its list of files: {error} (where there is no network, make the "
                "manifest elsewhere with make manifest, and set list_first: false)"
            ) from error
        logging.info("%s", difference)
