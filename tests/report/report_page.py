"""A report on made-up tables, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ranking_tables import STRUCTURES, STYLES, TITLES, MadeUp, ranking_tables
from selma3d import report
from selma3d.report.figures import FIGURES
from selma3d.report.figures.drawing import draw

EDITION: dict[str, Any] = {
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
        }
        for name, (kind, seen) in STRUCTURES.items()
    },
}
TRACKS = ("per-type", "one-model")
HELD_OUT = "Scores are on a held-out split, not on the challenge's hidden test cases."


def write(
    folder: Path,
    *challenges: MadeUp,
    drawn: tuple[str, ...] = ("overview", "pretraining-gains"),
    **changes: Any,
) -> Path:
    """Write a report, a track a challenge, with the figures named; `changes` replace arguments."""
    tables_by_track = dict(zip(TRACKS, map(ranking_tables, challenges), strict=False))
    shown = []
    for track, tables in tables_by_track.items():
        for name in drawn:
            path = folder / track / f"{name}.svg"
            draw(name, tables, STYLES, {"svg": path}, titles=TITLES)
            caption, category = FIGURES[name]
            shown.append(
                {
                    "name": name,
                    "track": track,
                    "path": path,
                    "caption": caption,
                    "category": category,
                }
            )
    arguments = {
        "edition": EDITION,
        "tables_by_track": tables_by_track,
        "figures": shown,
        "table_files": [
            {
                "name": "gains",
                "track": "per-type",
                "paths": {"tsv": folder / "tables" / "gains.tsv"},
            }
        ],
        "overview_figures": [],
        "provenance": {"commit": "0123abc", "versions": {"python": "3.11"}},
        "partial": [],
        "left_out": [],
        "caveats": [HELD_OUT],
        "styles": STYLES,
    }
    report.write_report(folder / "report.html", **(arguments | changes))
    return folder / "report.html"
