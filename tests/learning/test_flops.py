"""Counted operations of a training step: those that a real step has, without its data."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from selma3d.challenge.checking import check
from selma3d.challenge.recipe import Collaboration, FinetuningRecipe, Network, PretrainingRecipe
from selma3d.learning import flops
from selma3d.learning.training.segmentation import Segmentation
from small_training import built
from test_pretext import SMALL, UNET, WINDOW, batch_of, losses_of, section, task_of

INPUT = {"window": WINDOW, "normalisation": "zscore"}
PLAIN = {"recipe_version": 1, "network": UNET, "input": INPUT}


@pytest.mark.parametrize("name", SMALL)
def test_counted_operations_of_a_pretext_are_those_of_a_real_step(name: str) -> None:
    recipe = check(
        PretrainingRecipe,
        PLAIN | {"pretext": section({"task": name} | SMALL[name]).plain()},
        "small",
    )
    task, batch = task_of(name), batch_of([0, 1])
    with FlopCounterMode(display=False) as counter:
        losses_of(task, batch)["loss"].backward()
    # Heads of projections are left out: small beside any network but this one.
    assert flops.of_pretraining(recipe) == pytest.approx(counter.get_total_flops(), rel=0.15)


def finetuning(**changes: object) -> FinetuningRecipe:
    finetune = {"steps": 1, "batch": 2, "learning_rates": [1e-3], "augment": {}} | changes
    return check(FinetuningRecipe, PLAIN | {"finetune": finetune, "pretraining_steps": 0}, "small")


def test_counted_operations_of_finetuning_are_those_of_a_real_step() -> None:
    recipe = finetuning()
    network = built(UNET)
    task = Segmentation(network, recipe.input, recipe.finetune)
    batch = batch_of([0, 1]) | {"mask": torch.ones(2, 1, *WINDOW, dtype=torch.uint8)}
    batch |= task.draw([0, 1], 0)
    with FlopCounterMode(display=False) as counter:
        task.losses(batch)["loss"].backward()
    assert flops.of_finetuning(recipe) == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_a_frozen_encoder_a_teacher_and_parts_change_what_is_counted() -> None:
    plain = flops.of_finetuning(finetuning())
    window = flops.of_window(Network(**UNET), WINDOW)
    assert flops.of_finetuning(finetuning(freeze_encoder=True)) < plain
    assert flops.of_finetuning(finetuning(accumulate=2)) == pytest.approx(plain + 2 * window)
    taught = Collaboration(start=0.5)
    counted = flops.of_finetuning(finetuning(collaboration=taught.model_dump(mode="json")))
    assert counted == pytest.approx(1.5 * plain + 0.5 * 2 * window)
