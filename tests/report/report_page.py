"""A report on made-up tables, for tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ranking_tables import DISPLAY, STRUCTURES, TITLES, MadeUp, ranking_tables
from selma3d.challenge.edition import Edition
from selma3d.report.drawing.figure import draw_figure
from selma3d.report.page import Results, write_report
from selma3d.report.page_contents import ShownTable, shown_figures

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
    results = Results(
        edition=EDITION,
        display=DISPLAY,
        tracks=tables_by_track,
        figures=shown_figures(shown),
        tables=[ShownTable("gains", "per-type", "Gains", (folder / "tables" / "gains.tsv",))],
        overviews=[],
        missing=[],
        left_out=[],
        caveats=[HELD_OUT],
        provenance={"commit": "0123abc", "versions": {"python": "3.11"}},
    )
    write_report(folder / "report.html", replace(results, **changes))
    return folder / "report.html"
