"""Numbers and sizes of the images of a challenge, before they are there and after."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..challenge import Challenge
from ..challenge.edition import Published
from ..images import is_collection, read_index
from .status import Status

Shape = tuple[int, ...]
# Where nobody says: of the size that public sets have.
ASSUMED_PATCH: Shape = (200, 200, 200)
ASSUMED_VOLUME: Shape = (1000, 1000, 1000)
ASSUMED_PATCHES = 20


@dataclass(frozen=True)
class Extent:
    """Like images: how many, voxels (z,y,x) of each, channels, and who says so."""

    number: int
    shape: Shape
    channels: int
    source: str

    @property
    def voxels(self) -> int:
        """Of all images and channels."""
        return self.number * self.channels * math.prod(self.shape)


class Extents:
    """Images by structure: as converted, else as drawn or published, else assumed."""

    def __init__(self, challenge: Challenge, status: Status) -> None:
        self._challenge, self._status = challenge, status

    def patches(self, structure: str) -> list[Extent]:
        """Annotated patches."""
        indexes = [self._status.layout.patches_index(structure)]
        known = self._published(structure)
        number = self._rows(structure, "patch") or known.patches or ASSUMED_PATCHES
        return self._indexed(indexes) or [self._patch(structure, number)]

    def cases(self, structure: str) -> list[Extent]:
        """Test cases."""
        challenge = self._challenge
        of = challenge.structures[structure].cases_of
        if found := self._indexed([self._status.layout.cases_index(of)]):
            return found
        known = self._published(of)
        number = self._rows(of, "case") or known.cases.get(challenge.config.phase, 0)
        if challenge.config.test_cases == "held-out":
            patches = sum(each.number for each in self.patches(of))
            number = max(1, round(challenge.config.split.test * patches))
        return [self._patch(of, number or ASSUMED_PATCHES)]

    def volumes(self, structure: str) -> list[Extent]:
        """Unannotated volumes, or the patches that they are handed out as."""
        layout, samples = self._status.layout, self._challenge.unannotated_of(structure)
        if not samples:
            return []
        indexes = [layout.unannotated_index(row) for row in samples]
        found = self._indexed(indexes)
        missing = sum(not self._status.exists(index) for index in indexes)
        if not missing:
            return found
        known, drawn = self._published(structure), self._drawn(structure)
        if drawn:
            shape, channels, source = drawn["volume_shape"], drawn.get("channels", 1), "phantom"
        elif known.crops and known.crop_shape:
            crops = Extent(known.crops, known.crop_shape, known.channels, "edition: published")
            return [*found, crops]
        else:
            source = "edition: published" if known.volume_shape else "assumed"
            shape, channels = known.volume_shape or ASSUMED_VOLUME, known.channels
        return [*found, Extent(missing, tuple(shape), channels, source)]

    def _patch(self, structure: str, number: int) -> Extent:
        known, drawn = self._published(structure), self._drawn(structure)
        if drawn:
            return Extent(number, tuple(drawn["patch_shape"]), drawn.get("channels", 1), "phantom")
        source = "edition: published" if known.patch_shape else "assumed"
        return Extent(number, known.patch_shape or ASSUMED_PATCH, known.channels, source)

    def _published(self, structure: str) -> Published:
        described = self._challenge.edition.structures.get(self._plain(structure))
        return described.published if described else Published()

    def _plain(self, structure: str) -> str:
        """The structure that a twin's images are those of."""
        found = self._challenge.structures.get(structure)
        return found.cases_of if found and found.left_out else structure

    def _rows(self, structure: str, kind: str) -> int:
        return len(self._challenge.samples_of(self._plain(structure), kind))

    def _drawn(self, structure: str) -> dict[str, Any]:
        """How a synthetic structure is drawn; nothing where it is none."""
        for archive in self._challenge.archives.values():
            drawn = (archive.phantom or {}).get("structures", {})
            if archive.kind == "phantom" and self._plain(structure) in drawn:
                return drawn[self._plain(structure)]
        return {}

    def _indexed(self, indexes: Sequence[str]) -> list[Extent]:
        alike: Counter[Shape] = Counter()
        for index in indexes:
            if self._status.exists(index):
                table = read_index(Path(index))
                numbers = table["patches"].astype(int) if is_collection(table) else [1] * len(table)
                for text, number in zip(table["shape"], numbers, strict=True):
                    alike[tuple(int(n) for n in text.split(","))] += number
        return [Extent(alike[s], s[1:], s[0], "files that are there") for s in sorted(alike)]
