"""The metrics written straight from their definitions: slow, plain, one step after another."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from scipy import ndimage
from skimage.measure import euler_number, label
from skimage.morphology import skeletonize

Voxel = tuple[float, ...]


def reference_score(
    truth: np.ndarray,
    prediction: np.ndarray,
    structure_type: str,
    profile: str,
    spacing: Voxel = (1.0, 1.0, 1.0),
) -> dict[str, float]:
    """What `score_case` should return."""
    truth, prediction = truth > 0, prediction > 0
    scores = {"dice": dice(truth, prediction)}
    if profile != "selma2026":
        true, predicted = betti_numbers(truth), betti_numbers(prediction)
        scores["betti0_error"] = abs(predicted[0] - true[0])
        if structure_type == "vessel-like":
            scores["betti1_error"] = abs(predicted[1] - true[1])
    if structure_type == "vessel-like":
        scores["cldice"] = cldice(truth, prediction, profile)
        if profile == "selma2025":
            scores["hausdorff95"] = hausdorff95(truth, prediction, spacing)
    elif profile in ("selma2026", "robust"):
        scores["panoptic_quality"] = panoptic_quality(truth, prediction, profile)
    return scores


def dice(truth: np.ndarray, prediction: np.ndarray) -> float:
    if not truth.any() and not prediction.any():
        return 1.0
    return 2 * int((truth & prediction).sum()) / int(truth.sum() + prediction.sum())


def betti_numbers(mask: np.ndarray) -> tuple[int, int, int]:
    if not mask.any():
        return 0, 0, 0
    padded = np.pad(mask, 1).astype(np.int64)
    components = int(label(padded, connectivity=3).max())
    cavities = int(label(1 - padded, connectivity=1).max()) - 1
    tunnels = components + cavities - euler_number(padded, connectivity=3)
    return components, tunnels, cavities


def lee_skeleton(mask: np.ndarray) -> np.ndarray:
    return skeletonize(mask, method="lee") > 0


def whole_skeleton(mask: np.ndarray) -> np.ndarray:
    skeleton = lee_skeleton(mask)
    components = label(mask, connectivity=3)
    for component in range(1, components.max() + 1):
        own = components == component
        if not (own & skeleton).any():
            depth = ndimage.distance_transform_edt(np.pad(own, 1))[1:-1, 1:-1, 1:-1]
            skeleton[np.unravel_index(depth.argmax(), depth.shape)] = True
    return skeleton


def cldice(truth: np.ndarray, prediction: np.ndarray, profile: str) -> float:
    if profile == "robust" and not truth.any() and not prediction.any():
        return 1.0
    thin = whole_skeleton if profile == "robust" else lee_skeleton
    of_truth, of_prediction = thin(truth), thin(prediction)
    a = float(prediction[of_truth].mean()) if of_truth.any() else 0.0
    b = float(truth[of_prediction].mean()) if of_prediction.any() else 0.0
    if profile in ("selma2024", "selma2025"):
        return (2 * a * b + 1e-6) / (a + b + 1e-6)
    if profile == "selma2026" and not (of_truth.any() and of_prediction.any() and a + b > 0):
        return math.nan
    return 2 * a * b / (a + b) if a + b > 0 else 0.0


def panoptic_quality(truth: np.ndarray, prediction: np.ndarray, profile: str) -> float:
    pairs, true, predicted = matched_pairs(truth, prediction)
    if not true and not predicted:
        return 1.0 if profile == "robust" else math.nan
    if not pairs:
        return 0.0
    recognition = len(pairs) / (
        len(pairs) + 0.5 * (predicted - len(pairs)) + 0.5 * (true - len(pairs))
    )
    return float(np.mean(pairs)) * recognition


def matched_pairs(truth: np.ndarray, prediction: np.ndarray) -> tuple[list[float], int, int]:
    """Dice of the matched pairs, number of true and of predicted objects."""
    true, predicted = label(truth, connectivity=3), label(prediction, connectivity=3)
    candidates = []
    for p, t in product(range(1, predicted.max() + 1), range(1, true.max() + 1)):
        a, b = predicted == p, true == t
        if (a & b).any():
            candidates.append(((a & b).sum() / (a | b).sum(), p, t, dice(a, b)))
    candidates.sort(key=lambda candidate: -candidate[0])
    taken_p, taken_t, pairs = set(), set(), []
    for iou, p, t, overlap in candidates:
        if iou >= 0.3 and p not in taken_p and t not in taken_t:
            taken_p.add(p)
            taken_t.add(t)
            pairs.append(overlap)
    return pairs, int(true.max()), int(predicted.max())


def surface_distances(
    truth: np.ndarray, prediction: np.ndarray, spacing: Voxel
) -> tuple[np.ndarray, np.ndarray]:
    """Of the truth's surface to the prediction's, and back; by distance transforms."""
    surfaces = [mask & ~ndimage.binary_erosion(mask) for mask in (truth, prediction)]
    to_truth, to_prediction = (
        ndimage.distance_transform_edt(~surface, sampling=spacing) for surface in surfaces
    )
    return to_prediction[surfaces[0]], to_truth[surfaces[1]]


def hausdorff95(truth: np.ndarray, prediction: np.ndarray, spacing: Voxel) -> float:
    if not (truth.any() and prediction.any()):
        return math.nan
    there, back = surface_distances(truth, prediction, spacing)
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))
