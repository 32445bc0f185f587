"""The style of an entrant in all figures: colour tells the method, shape and line the init."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from matplotlib.colors import to_hex, to_rgb
from matplotlib.lines import Line2D

from ...challenge.display import Display, Entrant
from ...challenge.run import NO_INIT, is_pretrained
from ...ranking.tables import Tables
from . import canvas

_DASHES = ("-", *((0, dash) for dash in ((5, 1, 1, 1), (7, 1.5), (5, 1, 1, 1, 1, 1), (1, 0.6))))
_MARKERS = ("o", "^", "s", "v", "P", "X", "p", "<", "h", ">", "*", "8")
_HATCHES = (
    "",
    *["////", "....", "xxxx", "||||", "----", "++++", "oooo", "OO", "**", "//..", "xx.."],
)
_CONTROLS = {
    "scratch": ("o", (0, (3, 1.5))),
    "scratch-long": ("s", (0, (1, 1))),
    "scratch-again": ("v", (0, (2, 1))),
    "scratch-ens": ("d", (0, (3, 1.5, 1, 1.5))),
    "scratch-long-ens": ("H", (0, (1, 1, 3, 1))),
    "scratch-again-ens": ("p", (0, (2, 1, 3, 1))),
}


@dataclass(frozen=True)
class EntrantStyle:
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


class EntrantStyles:
    """The style of every entrant of a track.

    Parameters
    ----------
    display: titles and colours; a method without a colour of its own gets a spare one.
    entrants: every entrant of the track, so that a shape means the same in all its figures.
    """

    def __init__(self, display: Display, entrants: Iterable[Entrant]) -> None:
        entrants = list(entrants)
        self.display = display
        uncoloured = sorted({method for method, _ in entrants if method not in display.colours})
        spare = canvas.SPARE_COLOURS
        self._spare = {m: spare[i % len(spare)] for i, m in enumerate(uncoloured)}
        self._pretexts = sorted({init for _, init in entrants if is_pretrained(init)})

    @classmethod
    def of_tables(cls, display: Display, tables: Tables) -> EntrantStyles:
        """The styles of every entrant that some table names."""
        named = [t[["method", "init"]] for t in tables.values() if {"method", "init"} <= set(t)]
        entrants = {tuple(row) for table in named for row in table.drop_duplicates().to_numpy()}
        return cls(display, sorted(entrants))

    def __getitem__(self, entrant: Entrant) -> EntrantStyle:
        method, init = entrant
        marker, line, hatch, filled = self._shape(init)
        colour = self.display.colours.get(method) or self._spare.get(method, canvas.INK)
        label = self.display.entrant(method, init)
        return EntrantStyle(label, colour, marker, filled, line, hatch)

    def lines(self, entrants: Iterable[Entrant]) -> list[Line2D]:
        """Lines with symbols, as a key explains entrants."""
        return [canvas.sign(self[e].label, **self[e].curve) for e in entrants]

    def symbols(self, entrants: Iterable[Entrant]) -> list[Line2D]:
        """The same without lines."""
        without = {"linestyle": ""}
        return [canvas.sign(self[e].label, **self[e].curve | without) for e in entrants]

    def structure(self, name: str) -> str:
        """Title of a structure."""
        return self.display.structure(name)

    def _shape(self, init: str) -> tuple[str, Any, str, bool]:
        if init in _CONTROLS:
            return *_CONTROLS[init], "", False
        if init == NO_INIT:
            return "D", "-", "", True
        order = self._pretexts.index(init)
        pick = [shapes[order % len(shapes)] for shapes in (_MARKERS, _DASHES, _HATCHES)]
        return pick[0], pick[1], pick[2], True
