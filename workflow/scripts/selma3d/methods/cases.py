"""Cases that a method's run segments, and the prediction file for its masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..images import PatchFile, PredictionWriter


@dataclass(frozen=True)
class CasesToSegment:
    """The test cases of a structure for one run of a method, and the file for its masks."""

    cases: Path  # HDF5
    channel: int  # that is seen of them
    predictions: Path  # HDF5, to write
    method: str
    structure: str
    run: str = "default"

    @contextmanager
    def open(self) -> Iterator[tuple[PatchFile, PredictionWriter]]:
        """The cases, and a writer whose file appears once all has gone well."""
        with (
            PatchFile(self.cases) as cases,
            PredictionWriter(self.predictions, self.method, self.structure, self.run) as writer,
        ):
            yield cases, writer

    def segment(self, mask_of: Callable[[np.ndarray], np.ndarray]) -> None:
        """Write `mask_of` (uint8 {0,1}, Z,Y,X) of every case's image (Z,Y,X)."""
        with self.open() as (cases, writer):
            for case in cases.ids:
                writer.add(case, mask_of(cases.image(case, self.channel)))
