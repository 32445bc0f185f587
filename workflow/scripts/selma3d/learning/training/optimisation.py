"""How weights are optimised: settings, optimiser, learning-rate schedule, averaged weights."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ...system.randomness import numpy_generator
from ..networks import Segmenter
from ..networks.options import Count, Share, Within, checked

NotNegative = Annotated[float, Within(0)]
WITHOUT_EFFECT = {"workers", "log_every", "save_every", "save_every_s"}  # on the weights


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """The settings of one training loop; times in seconds, intervals in steps."""

    steps: Count
    batch: Count  # global: over all processes and accumulated parts
    learning_rate: NotNegative
    optimiser: Literal["adamw", "sgd"] = "adamw"  # sgd: momentum 0.99, Nesterov, as nnU-Net
    weight_decay: NotNegative = 0.01
    warmup: Share = 0.05  # of the steps
    final_rate: Share = 0.01  # of the learning rate, where the cosine ends
    clip: NotNegative = 1.0  # largest gradient norm; 0: not clipped
    accumulate: Count = 1  # parts that a batch is computed in
    average: Share = 0.0  # decay of averaged weights (EMA), which are then kept; 0: none
    precision: str = "auto"
    channels_last: bool = False
    compile: bool = False
    deterministic: bool = False
    device: str = "auto"
    workers: Annotated[int, Within(0)] = 0  # processes that read ahead; 0: a thread
    log_every: Count = 20
    save_every: Annotated[int, Within(0)] = 0  # steps; 0: by time alone
    save_every_s: NotNegative = 300.0

    @classmethod
    def of(cls, settings: dict, where: str) -> Optimisation:
        """Take this loop's settings out of a recipe's section; InputError for unfit values."""
        return cls(**checked(cls, {k: v for k, v in settings.items() if k in names(cls)}, where))

    def decisive(self) -> dict:
        """The settings that the learnt weights depend on, but for the learning rate."""
        without = WITHOUT_EFFECT | {"learning_rate"}
        return {key: value for key, value in asdict(self).items() if key not in without}

    def rate(self, step: int) -> float:
        """Share of the learning rate at step `step` of 0…steps-1: linear warm-up, then cosine."""
        warmup = max(1, round(self.warmup * self.steps))
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(1, self.steps - warmup)
        return self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * progress))


def names(settings: type) -> set[str]:
    """The keys of a dataclass of settings."""
    return {item.name for item in fields(settings)}


def initial_seed(seed: int) -> int:
    """Seed of the initial weights: one for all inits of a run, so that they are paired."""
    return int(numpy_generator(seed, "initial weights").integers(2**62))


def encoder_first_groups(
    network: Segmenter, frozen: bool, encoder_rate: float, layer_decay: float
) -> list[dict]:
    """Parameter groups with their share (`scale`) of the learning rate: encoder layers, the rest.

    `encoder_rate` scales the deepest layer of the encoder, and `layer_decay` each layer before it
    once more. A frozen encoder takes no gradients.
    """
    layers: dict[str, list[nn.Parameter]] = {}
    rest = []
    for name, parameter in network.named_parameters():
        prefix = next((p for p in network.encoder_prefixes if name.startswith(p)), None)
        if prefix is None:
            rest.append(parameter)
            continue
        parameter.requires_grad_(not frozen)
        layers.setdefault(_layer(name, prefix), []).append(parameter)
    last = len(layers) - 1
    encoder = [
        {"params": parameters, "scale": encoder_rate * layer_decay ** (last - depth)}
        for depth, parameters in enumerate(layers.values())
    ]
    if len({group["scale"] for group in encoder}) == 1:
        encoder = [
            {"params": [p for g in encoder for p in g["params"]], "scale": encoder[0]["scale"]}
        ]
    return [*encoder, {"params": rest, "scale": 1.0}]


def _layer(name: str, prefix: str) -> str:
    """The layer of an encoder's parameter: its path up to the first number below the prefix."""
    path = name.removeprefix(prefix).split(".")
    numbered = [place for place, part in enumerate(path) if part.isdigit()]
    return prefix + ".".join(path[: numbered[0] + 1 if numbered else 1])


def build_optimiser(
    settings: Optimisation, groups: list[dict]
) -> torch.optim.AdamW | torch.optim.SGD:
    """Optimiser over {params, scale} groups; `scale` multiplies the learning rate.

    Weights of one dimension (biases, normalisation) do not decay.
    """
    split = []
    for group in groups:
        learnt = [parameter for parameter in group["params"] if parameter.requires_grad]
        scale = group.get("scale", 1.0)
        decaying = [parameter for parameter in learnt if parameter.ndim > 1]
        others = [parameter for parameter in learnt if parameter.ndim <= 1]
        split += [
            {"params": decaying, "scale": scale, "weight_decay": settings.weight_decay},
            {"params": others, "scale": scale, "weight_decay": 0.0},
        ]
    split = [group for group in split if group["params"]]
    if settings.optimiser == "sgd":
        return _eager(torch.optim.SGD)(
            split, lr=settings.learning_rate, momentum=0.99, nesterov=True
        )
    return _eager(torch.optim.AdamW)(split, lr=settings.learning_rate)


def _eager(optimiser: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """An optimiser that does without torch's compiler, whose import takes seconds at every start.

    torch (2.13) imports it to keep it out of these methods; they themselves do not need it.
    """
    for method in vars(torch.optim.Optimizer).values():
        if hasattr(method, "__wrapped__"):
            method.__wrapped__.__dynamo_disable = method.__wrapped__
    step = torch.no_grad()(inspect.unwrap(optimiser.step))
    return type(optimiser.__name__, (optimiser,), {"step": step})


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
            torch._foreach_lerp_(self._averages, self._values, 1 - decay)

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
