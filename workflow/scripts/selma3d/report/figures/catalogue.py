"""The figures of a track's ranking, under their headings and in the order they are shown in."""

from __future__ import annotations

from typing import NamedTuple

from .captions import CAPTIONS


class Figure(NamedTuple):
    """What is said under a figure, and under which heading it is shown."""

    caption: str
    category: str


_SHOWN = {
    "Ranking": ("overview", "case-ranks", "podium"),
    "Scores": ("scores",),
    "Pretraining": ("pretraining-gains", "pretraining-paired", "learning-curves", "seen-unseen"),
    "Stability of the ranking": (
        "bootstrap-places",
        "significance",
        "ranking-rules",
        "metric-profiles",
    ),
    "Reported and reproduced": ("reported",),
}
FIGURES: dict[str, Figure] = {
    name: Figure(CAPTIONS[name], category) for category, names in _SHOWN.items() for name in names
}
