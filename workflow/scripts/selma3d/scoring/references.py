"""References of a structure's cases: how good a score these labels allow, for any method.

None of them needs a prediction. The oracle is the best single threshold of each case, chosen with
the truth: a reference, not a ceiling. The label moved by one voxel stands in for a second
annotator. The centroid F1 of points thrown at random is what no skill reaches.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..images import PatchFile
from ..system.tables import read_tsv
from .metrics.case_scores import describe_case
from .metrics.centroids import f1, reach_of
from .metrics.comparison import Comparison, spacing_of
from .metrics.overlap import dice
from .metrics.prepared import PreparedMask, VoxelSize

REFERENCE_COLUMNS = (
    *("structure", "specimen", "case", "length_unit", "objects", "object_voxels", "foreground"),
    *("oracle_threshold", "oracle_dice", "oracle_tolerant_dice", "oracle_surface_dice"),
    *("oracle_centroid_f1", "moved_dice", "chance_centroid_f1"),
)
THROWS = 20  # of as many points as the truth has objects
OF_ORACLE = ("tolerant_dice", "surface_dice", "centroid_f1")


def reference_table(cases_h5: str | Path, structure: str, channel: int) -> pd.DataFrame:
    """One row a case that has a truth, in REFERENCE_COLUMNS.

    channel: of the image that is thresholded. length_unit: of centroids and surfaces: µm, or voxels
    where the voxel size is unknown. object_voxels: the median. foreground: share of voxels.
    NaN where the truth is empty.
    """
    rows = []
    with PatchFile(cases_h5) as cases:
        for case in cases.ids:
            mask = cases.mask(case)
            if mask is not None:
                size = cases.voxel_size_um(case)
                rows.append(
                    {
                        "structure": structure,
                        "specimen": cases.specimen(case),
                        "case": case,
                        "length_unit": "voxels" if size is None else "µm",
                        **case_references(cases.image(case, channel), mask, size),
                    }
                )
    return pd.DataFrame(rows, columns=list(REFERENCE_COLUMNS))


def read_references(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read and join tables of references. Raises InputError naming the file and what it lacks."""
    texts = dict.fromkeys(("structure", "specimen", "case", "length_unit"), str)
    options = {"dtype": texts, "keep_default_na": False, "na_values": [""]}
    tables = [
        read_tsv(path, "a table of references", REFERENCE_COLUMNS, **options) for path in paths
    ]
    if not tables:
        return pd.DataFrame(columns=list(REFERENCE_COLUMNS))
    return pd.concat(tables, ignore_index=True).fillna({"specimen": ""})


def case_references(
    image: np.ndarray, mask: np.ndarray, voxel_size_um: VoxelSize | None
) -> dict[str, float]:
    """The references of one case: image and mask (Z,Y,X)."""
    truth = PreparedMask(mask)
    if not truth.voxels:
        return {"objects": 0.0, "foreground": 0.0}
    threshold, best = oracle_threshold(image, truth.array)
    scores = describe_case(
        truth, image >= threshold, structure_type="spot-like", voxel_size_um=voxel_size_um
    )
    return {
        "objects": float(truth.objects),
        "object_voxels": float(np.median(truth.object_voxels)),
        "foreground": truth.voxels / truth.array.size,
        "oracle_threshold": threshold,
        "oracle_dice": best,
        **{f"oracle_{metric}": scores[metric] for metric in OF_ORACLE},
        "moved_dice": moved_dice(truth.array),
        "chance_centroid_f1": chance_centroid_f1(truth, voxel_size_um),
    }


def oracle_threshold(image: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """The threshold t of the best Dice of `image >= t`, and that Dice; the highest of equal ones.

    image, truth: (Z,Y,X), truth bool and not empty. Only values of true voxels are tried: between
    two of them a lower threshold only adds false positives.
    """
    values, counts = np.unique(image[truth], return_counts=True)
    true = counts[::-1].cumsum()[::-1]
    # How many of the values are not above a voxel: it is predicted at that many thresholds.
    reached = np.searchsorted(values, image.reshape(-1), side="right")
    predicted = np.bincount(reached, minlength=len(values) + 1)[::-1].cumsum()[::-1][1:]
    scores = 2 * true / (true[0] + predicted)
    best = len(scores) - 1 - int(scores[::-1].argmax())
    return float(values[best]), float(scores[best])


def moved_dice(truth: np.ndarray) -> float:
    """Mean Dice of a label (Z,Y,X) and itself moved by one voxel, over the six directions.

    Opposite directions are alike, since only voxels count that lie in both images. An axis of one
    plane, or without foreground in what is left, is passed over; NaN where every axis is.
    """
    scores = []
    for axis in range(3):
        along = np.moveaxis(truth, axis, 0)
        here, moved = PreparedMask(along[1:]), PreparedMask(along[:-1])
        if here.voxels + moved.voxels:
            scores.append(dice(Comparison(here, moved)))
    return float(np.mean(scores)) if scores else np.nan


def chance_centroid_f1(truth: PreparedMask, voxel_size_um: VoxelSize | None) -> float:
    """Mean F1 of as many points as the truth has objects, thrown evenly into the image.

    The same numbers at every call.
    """
    generator = np.random.default_rng(0)
    spacing, reach = np.asarray(spacing_of(voxel_size_um)), reach_of(voxel_size_um)
    centroids = truth.centroids * spacing
    extent = np.asarray(truth.shape) * spacing
    throws = [generator.uniform(size=(truth.objects, 3)) * extent for _ in range(THROWS)]
    return float(np.mean([f1(centroids, points - spacing / 2, reach) for points in throws]))
