"""Floating-point operations of methods of other packages, by what their rules ask for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .extents import Extent

BACKWARD = 3  # a step takes so many times the operations of a prediction
NNUNET_LEVELS = 6
NNUNET_VOXELS = 2 * 128**3  # of a batch, that nnU-Net plans for in 8 GB with 32 features
NNUNET_MEMORY_GB = 8
NNUNET_OVERLAP = 2**3  # windows that a voxel is seen in: half a window apart on each axis
CELLPOSE_FEATURES = (2, 32, 64, 128, 256)
CELLPOSE_VIEWS = 3  # planes along each axis
CELLPOSE_PIXELS = 30.0  # that a cell is scaled to


def unet_operations(voxels: float, features: Sequence[int], axes: int = 3) -> float:
    """Of one prediction of a plain U-Net: two convolutions of edge 3 a level, down and up."""
    kernel, total = 3**axes, 0.0
    for level, (before, own) in enumerate(itertools.pairwise((1, *features))):
        seen = voxels / 2 ** (axes * level)
        total += 2 * kernel * seen * (before * own + own * own)
        if level + 1 < len(features):
            total += 2 * seen * (kernel * 3 * own * own + features[level + 1] * own)
    return total


def of_training(method: str, settings: Mapping[str, Any]) -> float | None:
    """Of a whole training; None for a method that this module does not know."""
    if method == "nnunet":
        batch = _nnunet_batch(settings)
        iterations = BACKWARD * settings["iterations"] + settings["validation_iterations"]
        return settings["epochs"] * iterations * batch
    if method == "cellpose":
        steps = settings["epochs"] * settings["iterations"]
        window = unet_operations(settings["window"] ** 2, CELLPOSE_FEATURES[1:], axes=2)
        return BACKWARD * steps * settings["batch"] * 2 * window  # residual: twice as many
    if method == "wnet3d":
        features = settings["channels"] or (64, 128, 256, 512)
        voxels = math.prod(settings["windows"]["shape"])
        both = 2 * unet_operations(voxels, features)
        return BACKWARD * settings["steps"] * settings["batch"] * both
    return None


def of_prediction(method: str, settings: Mapping[str, Any], cases: Iterable[Extent]) -> float:
    """Of all cases, one channel each; for methods that `of_training` knows."""
    voxels = sum(each.voxels / each.channels for each in cases)
    if method == "nnunet":
        mirrored = 8 if settings["mirrored"] else 1
        each = _nnunet_batch(settings) / _nnunet_voxels(settings)
        return mirrored * NNUNET_OVERLAP * voxels * each
    if method == "cellpose":
        scale = (CELLPOSE_PIXELS / 10) ** 2 if settings["rescale"] else 1  # cells of 10 pixels
        return scale * CELLPOSE_VIEWS * 2 * unet_operations(voxels, CELLPOSE_FEATURES[1:], axes=2)
    features = settings["channels"] or (64, 128, 256, 512)
    return NNUNET_OVERLAP * unet_operations(voxels, features)


def _nnunet_voxels(settings: Mapping[str, Any]) -> float:
    """Of a batch: as many as fit into the memory that it plans for."""
    fewer_features = 32 / settings["features"][0]
    return NNUNET_VOXELS * settings["gpu_memory_gb"] / NNUNET_MEMORY_GB * fewer_features


def _nnunet_batch(settings: Mapping[str, Any]) -> float:
    first, most = settings["features"]
    features = [min(first * 2**level, most) for level in range(NNUNET_LEVELS)]
    return unet_operations(_nnunet_voxels(settings), features)
