"""The animals of a phantom archive: what each is for, how it was imaged, and images of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...system.randomness import numpy_generator
from .geometry import Canvas, Grid
from .microscope import Condition, draw_condition, expose
from .specification import StructureSpec
from .structures import KINDS, Abundance
from .tissue import tissue

# Share of a field that lies above the tissue's surface; below 0 the field is inside the tissue.
AIR_OF_PATCHES = (-0.3, 0.25)
AIR_OF_VOLUMES = 0.3


@dataclass(frozen=True)
class Specimen:
    """One animal or organ, stained and imaged in its own way."""

    structure: StructureSpec
    number: int
    role: str
    seed: int

    @property
    def name(self) -> str:
        """Unique within the archive."""
        return f"{self.structure.name}-specimen{self.number}"

    @property
    def condition(self) -> Condition:
        """The same for everything that is imaged of this specimen; shifted for test."""
        structure = self.structure
        shifted = self.role == "test" or (self.is_imaged_only and structure.volumes_as_test)
        drawn = draw_condition(self._generator("condition"), shifted=shifted)
        return replace(drawn, photons=drawn.photons * structure.light)

    @property
    def is_imaged_only(self) -> bool:
        """Whether the specimen is seen in a volume alone: no patch is cut from it."""
        structure = self.structure
        return self.number > structure.training.specimens + structure.test.specimens

    def patches(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (n,C,Z,Y,X) uint16 and truth (n,Z,Y,X) bool: neighbours along x of one field."""
        depth, height, width = self.structure.patch_shape
        air = self._generator("air").uniform(*AIR_OF_PATCHES)
        image, truth = self._field("patches", (depth, height, width * count), air)
        return np.stack(np.split(image, count, axis=-1)), np.stack(np.split(truth, count, axis=-1))

    def volume(self) -> np.ndarray:
        """Image (C,Z,Y,X) uint16 of a large part of the specimen, partly of the air above it."""
        return self._field("volume", self.structure.volume_shape, AIR_OF_VOLUMES)[0]

    def _field(
        self, what: str, shape: tuple[int, int, int], air: float
    ) -> tuple[np.ndarray, np.ndarray]:
        rng, condition = self._generator(what), self.condition
        grid = Grid(shape, self.structure.voxel_size_um)
        around = tissue(rng, grid, air, condition.texture)
        canvas = Canvas(grid, self.structure.channels)
        KINDS[self.structure.kind](
            rng, canvas, Abundance(condition.density, self.structure.distractors)
        )
        glow = condition.background * around.glow
        channels = [
            expose(rng, grid, condition.stain * emission * around.inside + glow, condition)
            for emission in canvas.emission
        ]
        return np.stack(channels), canvas.truth & around.inside

    def _generator(self, purpose: str) -> np.random.Generator:
        return numpy_generator(self.seed, self.structure.name, self.number, purpose)


def annotated_specimens(structure: StructureSpec, seed: int) -> list[Specimen]:
    """Those with annotated patches; the last of several is for validation."""
    last = structure.training.specimens
    return [
        Specimen(structure, number, "validation" if 1 < number == last else "training", seed)
        for number in range(1, last + 1)
    ]


def tested_specimens(structure: StructureSpec, seed: int) -> list[Specimen]:
    """Those of the test cases, numbered after the annotated ones."""
    first = structure.training.specimens + 1
    last = structure.training.specimens + structure.test.specimens
    return [Specimen(structure, number, "test", seed) for number in range(first, last + 1)]


def imaged_specimens(structure: StructureSpec, seed: int) -> list[Specimen]:
    """Those of the volumes: the first annotated one, then specimens that are seen nowhere else."""
    numbers = [1] if structure.training.specimens else []
    first = structure.training.specimens + structure.test.specimens + 1
    numbers += range(first, first + structure.volumes - len(numbers))
    return [
        Specimen(structure, number, "training", seed) for number in numbers[: structure.volumes]
    ]
