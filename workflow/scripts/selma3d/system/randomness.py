"""Randomness as a pure function of (seed, counters).

A sample's geometry, augmentation and masks depend on the run's seed and the sample's global index
alone. Resume is then exact, and independent of the number of workers, processes and GPUs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def _digest(*parts: int | str) -> int:
    text = "\x1f".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def numpy_generator(seed: int, *counters: int | str) -> np.random.Generator:
    """A NumPy generator (Philox) that is a pure function of its arguments."""
    return np.random.Generator(np.random.Philox(key=_digest(seed, *counters)))


def generator_seed(seed: int, index: int, purpose: str) -> int:
    """The seed of a sample's torch generator; `purpose` separates draws of the same sample."""
    return _digest(seed, int(index), purpose) >> 1


def torch_generators(seed: int, indices: Iterable[int], purpose: str) -> list[torch.Generator]:
    """One torch generator a sample; `purpose` separates independent draws of the same sample."""
    import torch

    seeds = (generator_seed(seed, index, purpose) for index in indices)
    return [torch.Generator().manual_seed(each) for each in seeds]


def uniform(generators: Sequence[torch.Generator], *shape: int) -> torch.Tensor:
    """Uniform draws in [0, 1), shape (B, *shape), each sample from its own generator."""
    import torch

    return torch.stack([torch.rand(shape, generator=each) for each in generators])


def uniform_of(seeds: torch.Tensor, device: torch.device, *shape: int) -> torch.Tensor:
    """Uniform draws in [0, 1) on a device, (n, *shape), each from the seed of its own (n,)."""
    import torch

    return _drawn(torch.rand, seeds, device, shape)


def normal_of(seeds: torch.Tensor, device: torch.device, *shape: int) -> torch.Tensor:
    """Standard normal draws on a device, (n, *shape), each from the seed of its own (n,)."""
    import torch

    return _drawn(torch.randn, seeds, device, shape)


def _drawn(
    draw: Callable[..., torch.Tensor],
    seeds: torch.Tensor,
    device: torch.device,
    shape: Sequence[int],
) -> torch.Tensor:
    import torch

    own = (torch.Generator(device).manual_seed(seed) for seed in seeds.tolist())
    return torch.stack([draw(shape, generator=each, device=device) for each in own])
