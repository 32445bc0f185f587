"""Facts that decide the mask of a volume, stored with its slabs so that all of them agree."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Self

from ..images import VolumeFile
from ..system.records import Plain
from .model import TrainedModel
from .resampling import Resampling
from .settings import WindowSettings


@dataclass(frozen=True)
class SegmentationFacts(Plain):
    """Model, volume and settings; the voxel size and specimen go with them.

    model, volume: SHA-256 of the model's file, of the image. shape: of the network's grid,
    volume_shape: of the image (Z,Y,X).
    """

    model: str
    volume: str
    specimen: str
    voxel_size_um: tuple[float, float, float] | None
    structure: str
    channel: int
    threshold: float
    shape: tuple[int, int, int]
    volume_shape: tuple[int, int, int]
    window: tuple[int, int, int]
    overlap: float
    block: int
    skip_air: bool
    probability: bool

    @classmethod
    def of(
        cls,
        model: TrainedModel,
        source: VolumeFile,
        structure: str,
        settings: WindowSettings,
        resampling: Resampling,
    ) -> Self:
        return cls(
            model=hashlib.sha256(model.path.read_bytes()).hexdigest(),
            volume=str(source.file.attrs["sha256"]),
            specimen=source.specimen,
            voxel_size_um=source.voxel_size_um,
            structure=structure,
            channel=model.channel(structure),
            threshold=model.threshold,
            shape=resampling.target,
            volume_shape=resampling.source,
            window=tuple(model.window),
            overlap=settings.overlap,
            block=settings.block,
            skip_air=settings.skip_air,
            probability=settings.probability,
        )

    @property
    def has_own_grid(self) -> bool:
        """Whether the network sees another grid than the volume's."""
        return self.shape != self.volume_shape

    def fingerprint(self, slab: int, slabs: int) -> str:
        """Changes with anything that decides the content of a slab's blocks."""
        decisive = asdict(self) | {"slab": slab, "slabs": slabs}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]

    def difference(self, other: SegmentationFacts) -> tuple[str, object, object]:
        """The first fact in which another differs: its name, its value here, and there."""
        mine, theirs = asdict(self), asdict(other)
        name = next(key for key in mine if mine[key] != theirs[key])
        return name, mine[name], theirs[name]
