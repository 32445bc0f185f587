"""Optimisers: the steps of torch's own, with decay of weights alone."""

from __future__ import annotations

import pytest
import torch

from selma3d.challenge.recipe import Optimisation
from selma3d.learning.training.optimisation import build_optimiser


def trained(optimiser: torch.optim.Optimizer, weights: list[torch.nn.Parameter]) -> None:
    """Five steps down a bowl."""
    for step in range(5):
        loss = sum((weight - step).square().sum() for weight in weights)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_steps_are_those_of_torchs_own_optimiser(name: str):
    initial = [torch.randn(4, 3), torch.randn(5)]
    ours, torchs = ([torch.nn.Parameter(w.clone()) for w in initial] for _ in range(2))
    settings = Optimisation(steps=5, batch=1, optimiser=name, weight_decay=0.1)
    trained(build_optimiser(settings, 1e-2, [{"params": ours}]), ours)
    decays = [
        {"params": torchs[:1], "weight_decay": 0.1},
        {"params": torchs[1:], "weight_decay": 0.0},
    ]
    if name == "adamw":
        trained(torch.optim.AdamW(decays, lr=1e-2), torchs)
    else:
        trained(torch.optim.SGD(decays, lr=1e-2, momentum=0.99, nesterov=True), torchs)
    for mine, theirs in zip(ours, torchs, strict=True):
        assert torch.equal(mine, theirs)
