"""Objects of two masks, 26-connected components, matched one to one."""

from __future__ import annotations

import numpy as np

from .prepared import PreparedMask

LEAST_IOU = 0.3
AS_A_LIST = 2**21  # possible pairs; up to here counting each is quicker than sorting those found


def matched_dice(truth: PreparedMask, prediction: PreparedMask) -> np.ndarray:
    """Dice of each pair of components, matched one to one, greedily by descending IoU ≥ 0.3.

    Of equal IoU the first predicted object in scan order is served first, as in panoptica.
    """
    shared = np.unravel_index(np.flatnonzero(truth.array & prediction.array), truth.shape)
    predicted, true, overlap = _counted(
        prediction.labels_at(shared) - 1, truth.labels_at(shared) - 1, max(truth.objects, 1)
    )
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
    return 2 * overlap[pairs] / both_sizes[pairs]


def _counted(
    predicted: np.ndarray, true: np.ndarray, true_objects: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of objects that share voxels, from the objects of each shared voxel, and how many."""
    keys = predicted.astype(np.int64) * true_objects + true
    if keys.max(initial=0) <= AS_A_LIST:
        voxels = np.bincount(keys)
        pairs = np.flatnonzero(voxels)
        overlap = voxels[pairs]
    else:
        pairs, overlap = np.unique(keys, return_counts=True)
    return *np.divmod(pairs, true_objects), overlap
