"""Stacks as the page shows them: the viewer's cases, and the picture of the first screen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..challenge.display import Display
from ..ranking.tables import Tables
from ..system.errors import InputError
from .cases import views
from .cases.stacks import TILES
from .drawing.entrants import EntrantStyles

# Of a voxel: true positive, false positive, false negative.
COLOURS = [views.COLOURS[label - 1] for label in (
    views.TRUE_POSITIVE, views.FALSE_POSITIVE, views.FALSE_NEGATIVE
)]  # fmt: skip
CAPTIONS = {"image": "Image", "truth": "Truth", "difference": "Where they differ"}


@dataclass(frozen=True)
class Stacks:
    """The chosen cases of a structure on a track, as `write_stacks` wrote them."""

    track: str
    structure: str
    cases: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, path: str | Path) -> Stacks:
        """Read a file of figures/<track>/. Raises InputError where it is missing or no JSON."""
        path = Path(path)
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            raise InputError(f"{path}: expected stacks for the viewer, found no file") from None
        except ValueError as error:
            raise InputError(f"{path}: expected JSON, found something else ({error})") from None
        return cls(path.parent.name, content["structure"], content["cases"])


def viewer_cases(
    all_stacks: Sequence[Stacks], tracks: Mapping[str, Tables], display: Display
) -> list[dict[str, Any]]:
    """Every case of the viewer in the page's order, with titles, colours and an id of its own."""
    shown = []
    for stacks in all_stacks:
        styles = EntrantStyles.of_tables(display, tracks[stacks.track])
        for case in stacks.cases:
            group = display.structure(stacks.structure)
            of = f", specimen {case['specimen']}" if case["specimen"] else ""
            masks = [
                {
                    "title": style.label,
                    "colour": style.colour,
                    "open": not style.filled,
                    "score": mask["score"],
                    "strip": mask["strip"],
                }
                for mask in case["masks"]
                for style in (styles[tuple(mask["entrant"])],)
            ]
            shown.append(
                {
                    "id": f"case-{len(shown) + 1}",
                    "group": f"{group}, track {stacks.track}" if len(tracks) > 1 else group,
                    "track": stacks.track,
                    "structure": stacks.structure,
                    "title": f"{case['why']}: {case['case']}{of}, "
                    f"mean {case['metric']} {case['mean']}{case['remark']}",
                    **{name: case[name] for name in (
                        *("case", "why", "metric", "mean", "shape", "steps", "voxel_um"),
                        *("image", "truth"),
                    )},
                    "masks": masks,
                    "tiles": case["tiles"],
                }
            )  # fmt: skip
    return shown


def picture(cases: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The median case of the first structure: image, truth, best entrant, difference."""
    pictured = [case for case in cases if case["tiles"]]
    chosen = next((case for case in pictured if "median" in case["why"]), None)
    if chosen is None:
        return None
    best = next(mask for mask in chosen["masks"] if mask["strip"])
    tiles, captions = chosen["tiles"], CAPTIONS | {"found": best["title"]}
    return {
        "id": chosen["id"],
        "group": chosen["group"],
        "case": chosen["case"],
        "entrant": best["title"],
        "score": f"{chosen['metric']} {best['score']}",
        "bar": tiles["bar"],
        "sides": tiles["sides"],
        "tiles": [{"caption": captions[name], "source": tiles[name]} for name in TILES],
    }


def worst(cases: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The first structure's worst case in the viewer."""
    return next((case for case in cases if "worst" in case["why"]), None)
