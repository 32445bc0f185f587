"""Numbers of a segmented brain, and what in them a reader must be warned of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...images import InstanceFile, VolumeFile, read_index
from ...images.geometry import lengths_text
from ...images.storage import VoxelSize
from ..labels import count, listed

UM3_PER_MM3, UM_PER_MM = 1e9, 1e3
SAME_SIZE = 0.1  # by which voxel sizes of image and training may differ
FEW_VOXELS, MANY_TINY = 2, 0.2
MANY_CUT = 0.2
LION = 0.25  # of the foreground, in one object
FAR = 100  # times less foreground than in any training patch


@dataclass(frozen=True)
class Named:
    """Which brain, segmented by whom."""

    sample: str
    specimen: str
    group: str
    structure: str
    method: str
    run: str
    scored_as: str


@dataclass(frozen=True)
class LearntFrom:
    """What a model has learnt from: voxel sizes, shares of foreground, specimens of its patches."""

    voxel_sizes_um: tuple[VoxelSize, ...]
    foreground: tuple[float, ...]
    specimens: frozenset[str]

    @classmethod
    def read(cls, indexes: Sequence[Path]) -> LearntFrom:
        """Of the indexes of patches. Raises InputError where one is not to be read."""
        rows = pd.concat([read_index(path) for path in indexes])
        known = dict.fromkeys(text for text in rows["voxel_size_um"] if text != "unknown")
        return cls(
            tuple(tuple(float(edge) for edge in text.split(",")) for text in known),
            tuple(rows["foreground"].dropna()),
            frozenset(rows["specimen"]) - {""},
        )


def summary_of(
    named: Named,
    volume: VolumeFile,
    channel: int,
    instances: InstanceFile,
    objects: pd.DataFrame,
    vessels: pd.DataFrame,
) -> dict[str, object]:
    """A brain in a row: its size, objects, foreground and lengths; NaN where no size is known.

    tissue_share: of the volume, in blocks that are not told apart as air by their brightness.
    objects_mm3, length_mm_mm3: a mm³ of the volume; objects_mm3_tissue: of those blocks.
    """
    size, voxels = volume.voxel_size_um, int(np.prod(volume.shape))
    mm3 = np.nan if size is None else float(np.prod(size)) / UM3_PER_MM3
    tissue = float(volume.tissue(channel).mean())
    length_mm = np.nan if size is None else float(vessels["length"].sum()) / UM_PER_MM
    foreground = int(objects["voxels"].sum())
    whole = (objects["border"] == 0).to_numpy()
    return {
        **{name: text for name, text in asdict(named).items() if name != "scored_as"},
        "voxel_size_um": "unknown" if size is None else ",".join(f"{edge:g}" for edge in size),
        "voxels": voxels,
        "volume_mm3": voxels * mm3,
        "tissue_share": tissue,
        "objects": len(objects),
        "components": int(instances.component.max(initial=0)),
        "border_objects": int(len(objects) - whole.sum()),
        "objects_mm3": len(objects) / (voxels * mm3),
        "objects_mm3_tissue": len(objects) / (tissue * voxels * mm3),
        "median_voxels": float(np.median(objects["voxels"])) if len(objects) else np.nan,
        "median_volume_um3": float(np.median(objects["volume_um3"])) if len(objects) else np.nan,
        "foreground_voxels": foreground,
        "foreground_share": foreground / voxels,
        "length_mm": length_mm,
        "length_mm_mm3": length_mm / (voxels * mm3),
    }


def warnings_of(
    summary: dict[str, object],
    named: Named,
    training: LearntFrom,
    objects: pd.DataFrame,
    unsplit: int,
) -> list[str]:
    """What may be wrong with a brain's numbers, a sentence each."""
    return [
        *_of_voxel_size(str(summary["voxel_size_um"]), training),
        *_of_foreground(float(summary["foreground_share"]), training),
        *_of_objects(objects, named.scored_as == "spot-like", unsplit),
        *(
            [f"Specimen {named.specimen} was also trained on: its mask says nothing of new brains."]
            if named.specimen in training.specimens
            else []
        ),
    ]


def _of_voxel_size(stated: str, training: LearntFrom) -> list[str]:
    trained = listed([lengths_text(size) for size in training.voxel_sizes_um])
    if stated == "unknown":
        known = f" The model was trained on voxels of {trained} µm." if trained else ""
        return [
            "The voxel size is unknown: sizes are in voxels, and there are no densities and "
            f"lengths.{known}"
        ]
    size = tuple(float(edge) for edge in stated.split(","))
    if not training.voxel_sizes_um:
        return [
            f"The voxel size of the training patches is unknown: whether the model fits voxels of "
            f"{lengths_text(size)} µm cannot be checked."
        ]
    if not any(
        np.allclose(size, other, rtol=SAME_SIZE, atol=0) for other in training.voxel_sizes_um
    ):
        return [
            f"The voxel size, {lengths_text(size)} µm, is not that of training, {trained} µm: the "
            "model sees structures of another size than it has learnt."
        ]
    return []


def _of_foreground(share: float, training: LearntFrom) -> list[str]:
    if share == 0:
        return ["Nothing was segmented."]
    if not training.foreground:
        return []
    least, most = min(training.foreground), max(training.foreground)
    of_patches = f"in the training patches {least:.2%} to {most:.2%}"
    if share > most:
        return [
            f"The mask covers {share:.2%} of the volume, more than of any training patch "
            f"({of_patches}): patches are usually cut where much is to be seen."
        ]
    if share < least / FAR:
        return [f"The mask covers no more than {share:.2g} of the volume ({of_patches})."]
    return []


def _of_objects(objects: pd.DataFrame, spots: bool, unsplit: int) -> list[str]:
    if objects.empty:
        return []
    said = []
    tiny = float((objects["voxels"] <= FEW_VOXELS).mean())
    if tiny > MANY_TINY:
        said.append(f"{tiny:.0%} of the objects have {FEW_VOXELS} voxels or fewer: noise, perhaps.")
    cut = float(objects["border"].mean())
    if cut > MANY_CUT and spots:
        said.append(f"{cut:.0%} of the objects are cut by a face of the volume.")
    largest = objects["voxels"].max() / objects["voxels"].sum()
    if largest > LION and spots and len(objects) > 1:
        said.append(
            f"One object holds {largest:.0%} of the mask: something else that is bright, or a "
            "flooded region, perhaps."
        )
    if unsplit:
        said.append(
            f"{count(unsplit, 'component')} too large to be split, so counted as one object each."
        )
    return said
