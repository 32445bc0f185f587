"""A report on made-up tables, for tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ranking_tables import DISPLAY, STRUCTURES, TITLES, MadeUp, ranking_tables
from selma3d.challenge.edition import Edition
from selma3d.report.data_urls import webp_url
from selma3d.report.drawing.figure import draw_figure
from selma3d.report.page import ReportContent, write_report
from selma3d.report.page_contents import ShownTable, shown_figures
from selma3d.report.shown import Requested
from selma3d.report.viewer import Exports, Stacks

EDITION = Edition.read(
    {
        "edition": "made-up",
        "title": "A made-up challenge",
        "description": "Nothing in it was measured <ever>.",
        "metric_profile": "selma2024",
        "ranking": {"rule": "mean-then-rank", "groups_by": "scored_as"},
        "archives": {"drawn": {"kind": "phantom", "licence": "CC0"}},
        "structures": {
            name: {
                "title": TITLES[name],
                "group": kind,
                "target": kind,
                "scored_as": kind,
                "seen": seen,
                "channel": 0,
                "voxel_size_um": "unknown",
                "patches": {"archive": "drawn", "folder": name},
            }
            for name, (kind, seen) in STRUCTURES.items()
        },
        "phases": {"test": {"ranked": True, "cases": {}}},
        "containers": {"input": "unknown", "output": "unknown"},
    }
)
DOT = webp_url(np.full((4, 4), 255, np.uint8), quality=None)
# One case of one voxel thick planes, as rule panels would have packed it.
STACKS = Stacks(
    "per-type",
    "cfos",
    [
        {
            "case": "b<",
            "why": "median",
            "remark": "",
            "specimen": "",
            "metric": "Dice",
            "mean": "0.400",
            "shape": [2, 2, 4],
            "steps": [1, 1, 1],
            "voxel_um": None,
            "image": DOT,
            "truth": DOT,
            "masks": [{"entrant": ["unet", "masked"], "score": "0.500", "strip": DOT}],
            "tiles": {
                "bar": "1 voxel",
                "sides": [4, 4],
                **dict.fromkeys(("image", "truth", "found", "difference"), DOT),
            },
        }
    ],
)
VOLUME = {
    "structure": "cfos",
    "sample": "sample1",
    "specimen": "",
    "full_shape": [4, 8, 16],
    "shape": [2, 2, 4],
    "steps": [2, 4, 4],
    "voxel_um": [8.0, 8.0, 8.0],
    "image": DOT,
    "masks": [{"entrant": ["unet", "masked"], "strip": DOT}],
}
TRACKS = ("per-type", "one-model")
HELD_OUT = "Scores are on a held-out split, not on the challenge's hidden test cases."


def write(
    folder: Path,
    *challenges: MadeUp,
    drawn: tuple[str, ...] = ("overview", "forest"),
    **changes: Any,
) -> Path:
    """Write a report, a track a challenge, with the figures named; `changes` replace results."""
    tables_by_track = dict(zip(TRACKS, map(ranking_tables, challenges), strict=False))
    shown = []
    for track, tables in tables_by_track.items():
        for name in drawn:
            path = folder / track / f"{name}.svg"
            draw_figure(name, tables, DISPLAY, {"svg": path})
            shown.append(path)
    results = ReportContent(
        edition=EDITION,
        display=DISPLAY,
        tracks=tables_by_track,
        figures=shown_figures(shown, DISPLAY),
        tables=[ShownTable("gains", "per-type", "Gains", (folder / "tables" / "gains.tsv",))],
        overviews=[],
        missing=[],
        left_out=[],
        caveats=[HELD_OUT],
        provenance={"commit": "0123abc", "versions": {"python": "3.11"}},
        requested=Requested(volumes=4, structures=2, encoders=2, models=1, predictions=7),
        stacks=[STACKS] if tables_by_track else [],
        volumes=[VOLUME] if tables_by_track else [],
        exports=Exports(
            {("per-type", "cfos"): folder / "export/per-type/cfos"},
            [
                folder / "export/volumes/cfos/sample1.ome.zarr",
                folder / "segmentations/unet/cfos/export/sample1.ome.zarr",
            ],
        ),
        gallery=folder / "gallery.html",
        rows={("per-type", "leaderboard"): folder / "ranking" / "leaderboard.tsv"},
    )
    write_report(folder / "report.html", replace(results, **changes))
    return folder / "report.html"
