"""The gallery: a card for each method, from its file and from what it achieved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from . import display
from .display import Styles
from .embedding import data_url
from .page import TRACKS
from .standings import shown_standings
from .table_formats import Shown
from .templates import write_page

KINDS = {
    "recipe": "recipe of the library",
    "rule": "rule of its own",
    "submission": "program with the platform's interface",
    "foreign": "masks that someone else made",
}


def write_gallery(
    path: str | Path,
    *,
    edition: Mapping[str, Any],
    methods: Mapping[str, Mapping[str, Any]],
    standings: Mapping[str, pd.DataFrame],
    pictures: Mapping[str, tuple[str, Path]],
    left_out: Sequence[str],
    partial: Sequence[str],
    note: str | None,
    styles: Styles,
) -> None:
    """Write one HTML page that needs nothing else, neither network nor scripts.

    methods: their files by name. standings: by track, as `standings` has them. pictures: of
    methods that have one, the entrant that is shown and the file. Methods are in the order of their
    best place, those without one at the end. left_out: methods that do not take part, and why.
    """
    titles = {name: spec["title"] for name, spec in edition["structures"].items()}
    write_page(
        path,
        "gallery.html.j2",
        ("report.css", "gallery.css"),
        edition=edition,
        cards=[
            _card(methods[name], standings, pictures.get(name), styles, titles)
            for name in in_order(methods, standings)
        ],
        left_out=list(left_out),
        partial=list(partial),
        note=note,
    )


def in_order(methods: Mapping[str, Any], standings: Mapping[str, pd.DataFrame]) -> list[str]:
    """Methods by their best place in any track; by name where they share it or have none."""
    places = pd.concat([table[["method", "place"]] for table in standings.values()])
    best = places.groupby("method")["place"].min().dropna()
    return sorted(methods, key=lambda name: (best.get(name, float("inf")), name))


def _card(
    method: Mapping[str, Any],
    standings: Mapping[str, pd.DataFrame],
    picture: tuple[str, Path] | None,
    styles: Styles,
    titles: Mapping[str, str],
) -> dict[str, Any]:
    capabilities = method["capabilities"]
    return {
        **{key: method[key] for key in ("name", "title", "colour", "idea", "citation", "licence")},
        "kind": KINDS[method["kind"]],
        "code": f"{method['code']}, {method['commit']}" if "code" in method else None,
        "facts": [
            "learns from unannotated volumes too"
            if capabilities["unannotated"]
            else "learns from no unannotated volumes",
            "written for a GPU" if capabilities["gpu"] else "needs no GPU",
            f"segments {display.listed(capabilities['structure_types'])} structures",
        ],
        "tables": [
            {"track": TRACKS[track], "shown": own}
            for track, table in standings.items()
            if (own := _own(table, method["name"], styles, titles)) is not None
        ],
        "picture": None
        if picture is None
        else {"entrant": picture[0], "source": data_url(picture[1])},
    }


def _own(
    table: pd.DataFrame, method: str, styles: Styles, titles: Mapping[str, str]
) -> Shown | None:
    """A method's rows; what is bold is the best of all methods."""
    mine = (table["method"] == method).to_numpy()
    if not mine.any():
        return None
    shown = shown_standings(table, styles, titles)
    return Shown(shown.texts[mine].reset_index(drop=True), shown.bold[mine].reset_index(drop=True))
