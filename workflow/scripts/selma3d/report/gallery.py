"""The gallery: a card for each method, from its file and from what it achieved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ..challenge.display import Display, Entrant
from ..challenge.edition import Edition
from ..challenge.method_file import MethodFile
from . import labels
from .cases.card import draw_card
from .data_urls import data_url
from .page import TRACKS
from .shown import ShownCases
from .table_formats import Printed
from .tables import TABLES
from .templates import write_page

KINDS = {
    "recipe": "recipe of the library",
    "rule": "rule of its own",
    "submission": "program with the platform's interface",
    "foreign": "masks that someone else made",
}


@dataclass(frozen=True)
class Picture:
    """What an entrant segmented, drawn."""

    entrant: Entrant
    path: Path


def draw_pictures(
    standings: pd.DataFrame,
    structures: Sequence[ShownCases],
    case_scores: pd.DataFrame,
    display: Display,
    folder: Path,
) -> dict[str, Picture]:
    """Draw into a folder what each method's best entrant of a track did; by method.

    standings: the track's. structures: cases and predictions. case_scores: the ranking's `cases`.
    """
    pictures = {}
    placed = standings.sort_values("place", kind="stable")
    for method, rows in placed.groupby("method", sort=False):
        picture = Picture((method, rows["init"].iloc[0]), folder / f"{method}.png")
        draw_card(picture.entrant, structures, case_scores, display, {"png": picture.path})
        pictures[method] = picture
    return pictures


def write_gallery(
    path: str | Path,
    *,
    edition: Edition,
    methods: Mapping[str, MethodFile],
    standings: Mapping[str, pd.DataFrame],
    pictures: Mapping[str, Picture],
    recipes: Mapping[str, str],
    left_out: Sequence[str],
    display: Display,
) -> None:
    """Write one HTML page that needs no other and no network; a script sorts its cards.

    methods: their files by name. standings: rows of the table of that name, by track. pictures: of
    methods that have one. Methods are in the order of their best place, those without one at the
    end. recipes: how those that learn were trained, in a line. left_out: methods that do not take
    part, and why.
    """
    write_page(
        path,
        "gallery.html.j2",
        ("report.css", "gallery.css"),
        edition=edition,
        cards=[
            _card(methods[name], standings, pictures.get(name), recipes.get(name, ""), display)
            for name in by_best_place(methods, standings)
        ],
        left_out=list(left_out),
        partial=list(display.partial),
        note=display.note,
    )


def by_best_place(methods: Iterable[str], standings: Mapping[str, pd.DataFrame]) -> list[str]:
    """Methods by their best place in any track; by name where they share it or have none."""
    places = pd.concat([table[["method", "place"]] for table in standings.values()])
    best = places.groupby("method")["place"].min().dropna()
    return sorted(methods, key=lambda name: (best.get(name, float("inf")), name))


def _card(
    method: MethodFile,
    standings: Mapping[str, pd.DataFrame],
    picture: Picture | None,
    trained: str,
    display: Display,
) -> dict[str, Any]:
    can = method.capabilities
    return {
        "method": method,
        "kind": KINDS[method.kind],
        "order": _order(method.name, standings),
        "trained": trained,
        "file": yaml.safe_dump(method.plain(), sort_keys=False, allow_unicode=True, width=100),
        "code": f"{method.code}, {method.commit}" if method.code else None,
        "facts": [
            "learns from unannotated volumes too"
            if can.unannotated
            else "learns from no unannotated volumes",
            {True: "written for a GPU", "optional": "takes a GPU where there is one"}.get(
                can.gpu, "needs no GPU"
            ),
            f"segments {labels.listed(can.structure_types)} structures",
        ],
        "tables": [
            {"track": TRACKS[track], "printed": own}
            for track, table in standings.items()
            if (own := _own(table, method.name, display)) is not None
        ],
        "picture": None
        if picture is None
        else {
            "entrant": display.entrant(*picture.entrant),
            "source": data_url(picture.path),
        },
    }


def _order(method: str, standings: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """What cards are sorted by: the best place and the minutes of all entrants of a method."""
    rows = pd.concat([table[table["method"] == method] for table in standings.values()])
    hours = rows[["cpu_hours", "gpu_hours"]].sum(axis=1, min_count=1).sum(min_count=1)
    found = {"place": rows["place"].min(), "minutes": 60 * hours}
    return {name: round(float(value), 3) for name, value in found.items() if pd.notna(value)}


def _own(table: pd.DataFrame, method: str, display: Display) -> Printed | None:
    """A method's rows, turned: an entrant a column; what is bold is the best of all methods."""
    mine = (table["method"] == method).to_numpy()
    if not mine.any():
        return None
    printed = TABLES["standings"].printed(table, display)
    name, *facts = printed.texts.columns
    entrants = printed.texts.loc[mine, name]
    texts = printed.texts.loc[mine, facts].set_axis(entrants).T
    bold = printed.bold[mine].set_axis(entrants).reindex(columns=facts, fill_value=False).T
    return Printed(texts.rename_axis(name).reset_index(), bold.reset_index(drop=True))
