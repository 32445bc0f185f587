"""Stacks as the page shows them: the viewer's cases, and the picture of the first screen."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..challenge.display import Display
from ..ranking.tables import Tables
from ..scoring.score_tables import ENTRANT
from ..system.errors import InputError
from .cases import views
from .cases.stacks import TILES
from .drawing.entrants import EntrantStyle, EntrantStyles
from .ranking_rows import best_first

NAPARI = ("napari", "--plugin", "napari-ome-zarr")

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
        content = read_volume(path)
        return cls(Path(path).parent.name, content["structure"], content["cases"])


def read_volume(path: str | Path) -> dict[str, Any]:
    """Read what `write_volume_stack` wrote. Raises InputError where it is missing or no JSON."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise InputError(f"{path}: expected stacks for the viewer, found no file") from None
    except ValueError as error:
        raise InputError(f"{path}: expected JSON, found something else ({error})") from None


@dataclass(frozen=True)
class Exports:
    """What other programs open of the same images.

    cases: the folder of a structure's cases by track and structure. volumes: reduced images of
    volumes, `export/volumes/<structure>/<sample>.ome.zarr`, and masks of them,
    `segmentations/<method>/<structure>/export/<sample>.ome.zarr`.
    """

    cases: Mapping[tuple[str, str], Path] = field(default_factory=dict)
    volumes: Sequence[Path] = ()

    def beside(self, folder: Path) -> Exports:
        """The same with paths relative to the page's folder."""
        return Exports(
            {key: Path(os.path.relpath(path, folder)) for key, path in self.cases.items()},
            [Path(os.path.relpath(path, folder)) for path in self.volumes],
        )

    def of_case(self, track: str, structure: str, case: str) -> list[str]:
        """The file of a case; none where there is no export."""
        own = self.cases.get((track, structure))
        return [] if own is None else [(own / f"{case}.ome.zarr").as_posix()]

    def of_volume(self, structure: str, sample: str) -> list[str]:
        """The files of a volume, its image before its masks."""
        own = (f"{structure}/{sample}.ome.zarr", f"{structure}/export/{sample}.ome.zarr")
        paths = [path.as_posix() for path in self.volumes]
        return [path for end in own for path in paths if path.endswith(f"/{end}")]


def _opened(files: Sequence[str]) -> dict[str, Any]:
    """Files beside the page, and the line that opens them in napari."""
    return {"files": list(files), "command": shlex.join([*NAPARI, *files]) if files else ""}


def _mask(style: EntrantStyle, score: str, strip: str | None) -> dict[str, Any]:
    """An entrant's mask."""
    look = {"title": style.label, "colour": style.colour, "open": not style.filled}
    return look | {"score": score, "strip": strip}


def viewer_cases(
    all_stacks: Sequence[Stacks],
    tracks: Mapping[str, Tables],
    display: Display,
    exports: Exports,
) -> list[dict[str, Any]]:
    """Every case of the viewer in the page's order, with titles, colours and an id of its own."""
    shown = []
    for stacks in all_stacks:
        styles = EntrantStyles.of_tables(display, tracks[stacks.track])
        for case in stacks.cases:
            group = display.structure(stacks.structure)
            of = f", specimen {case['specimen']}" if case["specimen"] else ""
            masks = [
                _mask(styles[tuple(mask["entrant"])], mask["score"], mask["strip"])
                for mask in case["masks"]
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
                    **_opened(exports.of_case(stacks.track, stacks.structure, case["case"])),
                }
            )  # fmt: skip
    return shown


def viewer_volumes(
    volumes: Sequence[Mapping[str, Any]], tables: Tables, display: Display, exports: Exports
) -> list[dict[str, Any]]:
    """Whole volumes as the viewer shows them: without a truth, masks best of a leaderboard first.

    tables: of the first track, whose leaderboard gives the order.
    """
    shown = []
    for volume in volumes:
        entrants = pd.DataFrame([mask["entrant"] for mask in volume["masks"]], columns=ENTRANT)
        styles = EntrantStyles.of_tables(display, {**tables, "volumes": entrants})
        strips = {tuple(mask["entrant"]): mask["strip"] for mask in volume["masks"]}
        specimen = f", specimen {volume['specimen']}" if volume["specimen"] else ""
        sides = " × ".join(str(n) for n in volume["full_shape"])
        title = f"{display.structure(volume['structure'])}: {volume['sample']}{specimen}"
        shown.append(
            {
                "id": f"volume-{len(shown) + 1}",
                "group": "Whole volumes",
                "title": f"{title}, {sides} voxels",
                "truth": None,
                "masks": [
                    _mask(styles[entrant], "", strips[entrant])
                    for entrant in best_first(tables, strips)
                ],
                **{name: volume[name] for name in ("shape", "steps", "voxel_um", "image")},
                **_opened(exports.of_volume(volume["structure"], volume["sample"])),
            }
        )
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


def worst(cases: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The worst case of each structure in the viewer."""
    return [case for case in cases if "worst" in case["why"]]
