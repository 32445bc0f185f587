"""The table over all segmented brains of an edition, and means by group.

Means and standard deviations are of brains. No test is made: none was declared before the numbers
were seen.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...system.atomic import write_table
from ..table_formats import Printed
from ..templates import write_page
from .numbers import number, spread
from .page import read_numbers

# Shown, and averaged by group.
MEASURES = {
    "objects": "Objects",
    "objects_mm3": "Objects a mm³",
    "median_volume_um3": "Median object, µm³",
    "foreground_share": "Mask, share of the volume",
    "length_mm_mm3": "Length a mm³, mm",
}


@dataclass(frozen=True)
class Tables:
    """The files: a row a brain, a row a group, a row a brain and region, and the page."""

    table: Path
    groups: Path
    regions: Path
    page: Path


def write_brains(
    summaries: Sequence[Path], regions: Sequence[Path], title: str, outputs: Tables
) -> None:
    """Join the numbers of brains, one table each, and those of their regions in the same order."""
    brains = [read_numbers(path) for path in summaries]
    table = pd.concat(brains, ignore_index=True) if brains else pd.DataFrame()
    named = ["sample", "specimen", "group", "structure"]
    of_regions = [
        read_numbers(path).assign(**brain.loc[0, named].to_dict())
        for path, brain in zip(regions, brains, strict=True)
    ]
    joined = pd.concat(of_regions, ignore_index=True) if of_regions else pd.DataFrame()
    groups = group_means(table) if len(table) else pd.DataFrame()
    write_table(joined[[*named, *joined.columns.difference(named, sort=False)]], outputs.regions)
    write_table(groups, outputs.groups)
    write_table(table, outputs.table)
    folder = outputs.page.parent
    pages = [path.with_name(path.name.replace(".summary.tsv", ".html")) for path in summaries]
    write_page(
        outputs.page,
        "brains.html.j2",
        ("report.css", "brain.css"),
        title=title,
        columns=["Sample", "Specimen", "Group", "Structure", *MEASURES.values()],
        brains=[
            {
                "link": os.path.relpath(page, folder),
                "texts": [row[name] or "–" for name in named],
                "numbers": [number(row[name]) for name in MEASURES],
                "warnings": row["warnings"],
            }
            for page, row in zip(pages, table.to_dict("records"), strict=True)
        ],
        groups=_printed(groups) if len(groups) and groups["group"].any() else None,
        files=[
            (text, os.path.relpath(path, folder))
            for text, path in (
                ("a row a brain, all numbers and warnings", outputs.table),
                ("means by group", outputs.groups),
                ("a row a brain, region and hemisphere", outputs.regions),
            )
        ],
    )


def group_means(brains: pd.DataFrame) -> pd.DataFrame:
    """A row a structure and group: its brains, and mean and standard deviation of each measure.

    A specimen of several volumes counts once, with the mean of its volumes.
    """
    own = brains.assign(
        animal=[
            s or f"sample {n}" for s, n in zip(brains["specimen"], brains["sample"], strict=True)
        ]
    )
    by = ["structure", "group"]
    animals = own.groupby([*by, "animal"], sort=False)[list(MEASURES)].mean().reset_index()
    grouped = animals.groupby(by, sort=False)[list(MEASURES)]
    means = grouped.agg(["mean", "std"])
    means.columns = ["_".join(name) for name in means.columns]
    means.insert(0, "brains", animals.groupby(by, sort=False).size())
    return means.reset_index()


def _printed(groups: pd.DataFrame) -> Printed:
    rows = [
        {
            "Structure": row["structure"],
            "Group": row["group"] or "none",
            "Brains": number(int(row["brains"])),
        }
        | {
            title: spread(row[f"{name}_mean"], row[f"{name}_std"])
            for name, title in MEASURES.items()
        }
        for row in groups.to_dict("records")
    ]
    return Printed(pd.DataFrame(rows), text_columns=2)
