"""Optimisation: optimiser, parameter groups, averaged weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NotRequired, TypedDict

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ...challenge.recipe import Finetune, Optimisation
from ...system.randomness import numpy_generator
from ..networks import Segmenter


class Group(TypedDict):
    """Parameters with their share of the learning rate, by default all of it."""

    params: Iterable[nn.Parameter]
    scale: NotRequired[float]
    waits: NotRequired[float]  # share of the steps before it learns, by default none


def initial_seed(seed: int) -> int:
    """Seed of the initial weights: one for all inits of a run, so that they are paired."""
    return int(numpy_generator(seed, "initial weights").integers(2**62))


def encoder_first_groups(network: Segmenter, settings: Finetune) -> list[Group]:
    """Parameter groups with their share (`scale`) of the learning rate: encoder layers, the rest.

    `encoder_rate` scales the deepest layer of the encoder, and `layer_decay` each layer before it
    once more. A frozen encoder takes no gradients; one that waits learns after this share of the
    steps.
    """
    layers: dict[str, list[nn.Parameter]] = {}
    rest = []
    for name, parameter in network.named_parameters():
        prefix = next((p for p in network.encoder_prefixes if name.startswith(p)), None)
        if prefix is None:
            rest.append(parameter)
            continue
        parameter.requires_grad_(not settings.freeze_encoder)
        layers.setdefault(_layer(name, prefix), []).append(parameter)
    last = len(layers) - 1
    encoder = [
        {
            "params": parameters,
            "scale": settings.encoder_rate * settings.layer_decay ** (last - depth),
            "waits": settings.encoder_waits,
        }
        for depth, parameters in enumerate(layers.values())
    ]
    if len({group["scale"] for group in encoder}) == 1:
        encoder = [encoder[0] | {"params": [p for group in encoder for p in group["params"]]}]
    return [*encoder, {"params": rest, "scale": 1.0}]


def _layer(name: str, prefix: str) -> str:
    """The layer of an encoder's parameter: its path up to the first number below the prefix."""
    path = name.removeprefix(prefix).split(".")
    numbered = [place for place, part in enumerate(path) if part.isdigit()]
    return prefix + ".".join(path[: numbered[0] + 1 if numbered else 1])


def build_optimiser(
    settings: Optimisation, learning_rate: float, groups: Iterable[Group], *, fused: bool = False
) -> torch.optim.AdamW | torch.optim.SGD:
    """Optimiser over groups of parameters, which keep their `scale` and what they wait for.

    Weights of one dimension (biases, normalisation) do not decay. fused: in one kernel, which
    leaves a step out on the device where `found_inf` says so.
    """
    split = []
    for group in groups:
        learnt = [parameter for parameter in group["params"] if parameter.requires_grad]
        shared = {"scale": group.get("scale", 1.0), "waits": group.get("waits", 0.0)}
        decaying = [parameter for parameter in learnt if parameter.ndim > 1]
        others = [parameter for parameter in learnt if parameter.ndim <= 1]
        split += [
            shared | {"params": decaying, "weight_decay": settings.weight_decay},
            shared | {"params": others, "weight_decay": 0.0},
        ]
    split = [group for group in split if group["params"]]
    if settings.optimiser == "sgd":
        return torch.optim.SGD(
            split, lr=learning_rate, momentum=0.99, nesterov=True, fused=fused or None
        )
    return torch.optim.AdamW(split, lr=learning_rate, fused=fused or None)


class Average:
    """Exponential moving average of a network's weights; without a decay it does nothing."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network = network
        self._decay = decay
        self.state: dict[str, Tensor] = {}
        if decay:
            current = network.state_dict()
            self.state = {name: value.clone() for name, value in current.items()}
            floating = [name for name, value in current.items() if value.is_floating_point()]
            self._averages = [self.state[name] for name in floating]
            self._values = [current[name] for name in floating]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the current weights; faster in the first steps."""
        if self._decay:
            decay = min(self._decay, (1 + step) / (10 + step))
            get_ema_multi_avg_fn(decay)(self._averages, self._values, step)

    def load(self, state: dict[str, Tensor]) -> None:
        """Continue from a saved average."""
        for name, value in state.items():
            self.state[name].copy_(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run with the averaged weights in the network, then put the current ones back."""
        if not self._decay:
            yield
            return
        current = {name: value.clone() for name, value in self._network.state_dict().items()}
        self._network.load_state_dict(self.state)
        try:
            yield
        finally:
            self._network.load_state_dict(current)
