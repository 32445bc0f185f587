"""Masks for tests: random ones of many textures, and networks of tubes."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter


def masks(largest: int) -> st.SearchStrategy[np.ndarray]:
    """Random masks (Z,Y,X), each side 1 to `largest`; from loose voxels to blobs, empty to full."""
    return st.builds(
        random_mask,
        st.tuples(*[st.integers(1, largest)] * 3),
        st.integers(0, 2**32),
        st.sampled_from([0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0]),
        st.sampled_from([0.0, 0.7, 1.5]),
    )


def pairs_of_masks(largest: int) -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    """A truth and a prediction: unrelated, shifted, or with some voxels turned."""

    def pair(truth: np.ndarray, kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
        generator = np.random.default_rng(seed)
        if kind == "unrelated":
            return truth, random_mask(truth.shape, seed, generator.random(), 0.7)
        if kind == "shifted":
            return truth, np.roll(truth, generator.integers(-1, 2, 3), axis=(0, 1, 2))
        return truth, truth ^ (generator.random(truth.shape) < 0.1)

    kinds = st.sampled_from(["unrelated", "shifted", "turned"])
    return st.builds(pair, masks(largest), kinds, st.integers(0, 2**32))


def random_mask(shape: tuple[int, ...], seed: int, share: float, smoothness: float) -> np.ndarray:
    field = gaussian_filter(np.random.default_rng(seed).random(shape), smoothness)
    return field < np.quantile(field, share) if share < 1 else np.ones(shape, dtype=bool)


def tubes(seed: int, shape: tuple[int, int, int], count: int) -> np.ndarray:
    """`count` winding tubes of radius 1 to 4 that run into each other and out of the image."""
    generator = np.random.default_rng(seed)
    grid = np.moveaxis(np.indices(shape), 0, -1)
    mask = np.zeros(shape, dtype=bool)
    for radius in generator.uniform(1, 4, count):
        position, direction = generator.uniform((0, 0, 0), shape), generator.normal(size=3)
        for _ in range(30):
            direction += 0.4 * generator.normal(size=3)
            position = position + 2 * direction / np.linalg.norm(direction)
            corner = np.maximum(position - 5, 0).astype(int)
            box = tuple(slice(c, c + 11) for c in corner)
            mask[box] |= ((grid[box] - position) ** 2).sum(-1) <= radius**2
    return mask
