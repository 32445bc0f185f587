"""Optimisers: the steps of torch's own, without the start of its compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from selma3d.learning.training.optimisation import Optimisation, build_optimiser

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
TRAIN = """
import sys
sys.path.insert(0, {scripts!r})
import torch
from selma3d.device import be_deterministic
from selma3d.learning.training.optimisation import Optimisation, build_optimiser

be_deterministic(False)
weights = torch.nn.Parameter(torch.ones(3, 3))
settings = Optimisation(steps=1, batch=1, learning_rate=1e-3)
optimiser = build_optimiser(settings, [{{"params": [weights]}}])
weights.square().sum().backward()
optimiser.step()
optimiser.zero_grad()
optimiser.load_state_dict(optimiser.state_dict())
assert "torch._dynamo" not in sys.modules, "torch's compiler was imported"
"""


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
    settings = Optimisation(steps=5, batch=1, optimiser=name, learning_rate=1e-2, weight_decay=0.1)
    trained(build_optimiser(settings, [{"params": ours}]), ours)
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


def test_a_training_that_compiles_nothing_starts_without_torchs_compiler():
    code = TRAIN.format(scripts=str(SCRIPTS))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
