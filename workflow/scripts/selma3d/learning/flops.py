"""Floating-point operations of training steps and of predictions, counted on tensors without data.

A multiplication and its addition are two operations. Counted are products of matrices and
convolutions, forward and backward; augmentation, norms and losses are not: they take time, and that
is in the speeds that the operations are divided by.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..challenge.recipe import FinetuningRecipe, Network, PretrainingRecipe, Size
from . import networks
from . import pretext as tasks
from .networks import Segmenter
from .passes import Pass


def of_pretraining(recipe: PretrainingRecipe) -> float:
    """Operations of a step. Raises InputError for a network or task that can't be made."""
    settings, input = recipe.pretext, recipe.input
    network = without_data(recipe.network)
    windows = tasks.Windows(input.window, input.normalisation, settings.augment)
    task = tasks.build(settings, network, windows)
    return settings.batch * of_passes(network, task.passes())


def of_finetuning(recipe: FinetuningRecipe) -> float:
    """Operations of a step, without validations. Raises InputError as `of_pretraining`."""
    settings, window = recipe.finetune, recipe.input.window
    network = without_data(recipe.network)
    network.check_window(window, "window")
    if settings.freeze_encoder:
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(not name.startswith(network.encoder_prefixes))
    passes = [Pass(window)]
    if settings.collaboration is not None:
        share = 1 - settings.collaboration.start
        passes += [Pass(window, share=share), Pass(window, learnt=False, share=share)]
        if settings.collaboration.multiscale:
            passes.append(Pass(tuple(n // 2 for n in window), share=share))
    if settings.accumulate > 1:  # the sums of all parts come first
        passes += [Pass(each.size, learnt=False, share=each.share) for each in passes]
    return settings.batch * of_passes(network, passes)


def of_window(network: Network, window: Size) -> float:
    """Operations of one window (z,y,x) of a prediction."""
    return of_passes(without_data(network), [Pass(window, learnt=False)])


def without_data(network: Network) -> Segmenter:
    """The network with shapes and no values. (MONAI's Swin transformer reads values while made.)"""
    return networks.build(network).to("meta")


def of_passes(network: Segmenter, passes: Iterable[Pass]) -> float:
    """Operations of a window's passes through a network that has no data."""
    return sum(each.number * each.share * _of_pass(network, each) for each in passes)


def _of_pass(network: Segmenter, once: Pass) -> int:
    image = torch.zeros(1, 1, *once.size, device="meta")
    network.train(once.learnt)
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(once.learnt):
        features = network.encode(image)
        outputs = features
        if once.decoded:
            decoded = network.decode(image, features)
            outputs = decoded if isinstance(decoded, list) else [decoded]
        if once.learnt:
            sum(output.sum() for output in outputs).backward()
    network.zero_grad(set_to_none=True)
    return counter.get_total_flops()
