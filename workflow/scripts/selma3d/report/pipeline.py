"""The steps from images to ranking with the numbers of this run: what was learnt from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..ranking.tables import Tables
from . import labels
from .ranking_rows import ranked_cases
from .shown import Requested


@dataclass(frozen=True)
class Step:
    """A box of the drawing: a number, what it counts, and what happens to it."""

    number: str
    noun: str
    text: str
    section: str  # of the page, to which it links


def steps(requested: Requested, tracks: Mapping[str, Tables]) -> list[Step]:
    """The boxes in the order that data flows; what this run has none of is left out."""
    cases = {
        pair
        for tables in tracks.values()
        for pair in ranked_cases(tables)[["structure", "case"]].itertuples(index=False, name=None)
    }
    entrants = sum(len(tables["leaderboard"]) for tables in tracks.values())
    found = [
        (requested.volumes, "unannotated image", "learnt from without labels", "data"),
        (requested.encoders, "encoder", "pretrained on them", "gains"),
        (requested.structures, "annotated structure", "learnt from with labels", "data"),
        (requested.models, "model", "fine-tuned, from scratch or from an encoder", "methods"),
        (len(cases), "test case", f"segmented in {labels.count(requested.predictions, 'run')}",
         "cases"),
        (entrants, "entrant", "scored and ranked", "summary"),
    ]  # fmt: skip
    return [
        Step(f"{number:,}", noun if number == 1 else f"{noun}s", text, section)
        for number, noun, text, section in found
        if number
    ]
