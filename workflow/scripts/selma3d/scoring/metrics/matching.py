"""Objects of two masks, 26-connected components, matched one to one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array

from .prepared import PreparedMask

LEAST_IOU = 0.3


@dataclass(frozen=True)
class Matching:
    """Dice of each matched pair, best first, and how many objects there are on either side."""

    dice: np.ndarray
    true_objects: int
    predicted_objects: int

    @property
    def matched(self) -> int:
        return len(self.dice)


def match_objects(truth: PreparedMask, prediction: PreparedMask) -> Matching:
    """Match components one to one, greedily by descending IoU, those of IoU ≥ 0.3.

    Of equal IoU the first predicted object in scan order is served first, as in panoptica.
    """
    shared = np.unravel_index(np.flatnonzero(truth.array & prediction.array), truth.shape)
    objects = prediction.labels_at(shared) - 1, truth.labels_at(shared) - 1
    voxels = coo_array(
        (np.ones(shared[0].size, np.int64), objects), (prediction.objects, truth.objects)
    )
    voxels.sum_duplicates()
    (predicted, true), overlap = voxels.coords, voxels.data
    both_sizes = prediction.object_voxels[predicted] + truth.object_voxels[true]
    iou = overlap / (both_sizes - overlap)
    order = np.lexsort((true, predicted, -iou))

    pairs = []
    free_predicted = np.ones(prediction.objects, dtype=bool)
    free_true = np.ones(truth.objects, dtype=bool)
    for pair in order[iou[order] >= LEAST_IOU]:
        if free_predicted[predicted[pair]] and free_true[true[pair]]:
            free_predicted[predicted[pair]] = free_true[true[pair]] = False
            pairs.append(pair)
    return Matching(
        dice=2 * overlap[pairs] / both_sizes[pairs],
        true_objects=truth.objects,
        predicted_objects=prediction.objects,
    )
