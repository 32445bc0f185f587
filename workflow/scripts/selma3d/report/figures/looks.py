"""How an entrant looks in every figure: colour tells the method, shape and line tell the init."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.colors import to_hex, to_rgb

from .. import display
from . import style

Entrant = tuple[str, str]

_DASHES = ("-", *((0, dash) for dash in ((5, 1, 1, 1), (7, 1.5), (5, 1, 1, 1, 1, 1), (1, 0.6))))
_MARKERS = ("o", "^", "s", "v", "P", "X", "p", "<", "h", ">", "*", "8")
_HATCHES = (
    "",
    *["////", "....", "xxxx", "||||", "----", "++++", "oooo", "OO", "**", "//..", "xx.."],
)
_CONTROLS = {
    "scratch": ("o", (0, (3, 1.5))),
    "scratch-long": ("s", (0, (1, 1))),
    "scratch-ens": ("d", (0, (3, 1.5, 1, 1.5))),
    "scratch-long-ens": ("H", (0, (1, 1, 3, 1))),
}


@dataclass(frozen=True)
class Look:
    """Label, colour, and the shape, line and hatch of an entrant."""

    label: str
    colour: str
    marker: str
    filled: bool
    line: Any
    hatch: str

    @property
    def edge(self) -> str:
        """The colour, darkened: keeps pale colours visible on white."""
        return to_hex([0.7 * channel for channel in to_rgb(self.colour)])

    @property
    def face(self) -> str:
        """White for inits that start from scratch, the colour for all others."""
        return self.colour if self.filled else "white"

    @property
    def dots(self) -> dict[str, Any]:
        """Keywords of `Axes.scatter`."""
        return {
            "marker": self.marker,
            "facecolor": self.face,
            "edgecolor": self.edge,
            "linewidth": 0.6,
        }

    @property
    def curve(self) -> dict[str, Any]:
        """Keywords of `Axes.plot`."""
        return {
            "color": self.colour,
            "linestyle": self.line,
            "marker": self.marker,
            "markerfacecolor": self.face,
            "markeredgecolor": self.edge,
            "markeredgewidth": 0.6,
        }


class Looks:
    """The look of every entrant, and the titles of structures.

    Parameters
    ----------
    styles: {method: {title, colour, kind}} of the method files; a method without one gets a spare.
    entrants: every (method, init) of the track, so that a shape means the same in all its figures.
    titles: {structure: title} of the edition.
    """

    def __init__(
        self, styles: display.Styles, entrants: Iterable[Entrant], titles: Mapping[str, str]
    ) -> None:
        entrants = list(entrants)
        self._styles = styles
        self._titles = titles
        unstyled = sorted({m for m, _ in entrants if not styles.get(m, {}).get("colour")})
        spare = style.SPARE_COLOURS
        self._spare = {m: spare[i % len(spare)] for i, m in enumerate(unstyled)}
        self._pretexts = sorted({init for _, init in entrants if display.is_pretrained(init)})

    @classmethod
    def of_tables(
        cls,
        styles: display.Styles,
        tables: Mapping[str, pd.DataFrame],
        titles: Mapping[str, str] | None = None,
    ) -> Looks:
        """The looks of every entrant that some table names."""
        named = [t[["method", "init"]] for t in tables.values() if {"method", "init"} <= set(t)]
        entrants = {tuple(row) for table in named for row in table.drop_duplicates().to_numpy()}
        return cls(styles, sorted(entrants), titles or {})

    def __getitem__(self, entrant: Entrant) -> Look:
        method, init = entrant
        marker, line, hatch, filled = self._shape(init)
        colour = self._styles.get(method, {}).get("colour") or self._spare.get(method, style.INK)
        label = display.entrant(self._styles, method, init)
        return Look(label, colour, marker, filled, line, hatch)

    def structure(self, name: str) -> str:
        """Title of a structure."""
        return display.structure(self._titles, name)

    def _shape(self, init: str) -> tuple[str, Any, str, bool]:
        if init in _CONTROLS:
            return *_CONTROLS[init], "", False
        if init == display.NO_INIT:
            return "D", "-", "", True
        order = self._pretexts.index(init)
        pick = [shapes[order % len(shapes)] for shapes in (_MARKERS, _DASHES, _HATCHES)]
        return pick[0], pick[1], pick[2], True
