"""Command that refreshes an archive's manifest: python -m selma3d.archive EDITION_FILE ARCHIVE."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..challenge.checking import check, load_yaml
from ..challenge.edition import Edition
from ..system.errors import InputError
from .manifest_update import refresh


def main() -> int:
    """Print the difference between the manifest and the archive's own list; 1 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m selma3d.archive", description=__doc__)
    parser.add_argument("edition", type=Path, help="config/editions/<edition>.yaml")
    parser.add_argument("archive", help="an archive of kind biostudies or zenodo in it")
    args = parser.parse_args()
    try:
        archives = check(Edition, load_yaml(args.edition), args.edition).archives
        if args.archive not in archives:
            raise InputError(f"{args.edition}: archives: no {args.archive!r}")
        source = archives[args.archive]
        if not source.manifest:
            raise InputError(
                f"{args.edition}: archives.{args.archive}.manifest: expected the table to write, "
                "found none (such as config/manifests/<archive>.tsv)"
            )
        print(refresh(source, Path(source.manifest)))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
