"""Recipes as models: faults in one line each, parts that trainings depend on, plain data."""

from __future__ import annotations

import copy

import pytest

from selma3d.challenge.augmentation import Augmentation
from selma3d.challenge.checking import check
from selma3d.challenge.recipe import FinetuningRecipe, PretrainingRecipe, Recipe
from selma3d.system.errors import InputError

RECIPE = {
    "recipe_version": 1,
    "network": {"name": "unet", "channels": [4, 8], "strides": [2]},
    "input": {"window": [16, 16, 16], "normalisation": "asinh"},
    "pretexts": {
        "masked": {"task": "masked", "ratio": 0.6, "steps": 8, "batch": 2, "learning_rate": 0.001},
        "long": {"task": "masked", "steps": 20, "batch": 2, "learning_rate": 0.001, "volumes": 3},
    },
    "finetune": {"steps": 8, "batch": 2, "learning_rates": [0.001], "augment": {"flip": 0.5}},
}


def test_every_way_is_tried_at_every_rate_and_from_scratch_none_twice() -> None:
    ways = {"plain": {}, "whole": {"transfer": "encoder+decoder"}, "slower": {"slower": 0.5}}
    recipe = changed("finetune", RECIPE["finetune"] | {"ways": ways, "learning_rates": [0.1, 0.2]})
    finetune = check(Recipe, recipe, "recipe").finetune
    plain = ["plain-rate-0.1", "plain-rate-0.2"]
    slower = ["slower-rate-0.05", "slower-rate-0.1"]
    tried = finetune.attempts()
    assert list(tried) == [*plain, "whole-rate-0.1", "whole-rate-0.2", *slower]
    assert tried["slower-rate-0.05"].learning_rates == (0.05,)
    assert not tried["slower-rate-0.05"].ways
    assert list(finetune.attempts(pretrained=False)) == [*plain, *slower[:1]]


def changed(path: str, value: object) -> dict:
    recipe = copy.deepcopy(RECIPE)
    *parents, key = path.split(".")
    section = recipe
    for parent in parents:
        section = section[parent]
    section[key] = value
    return recipe


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("finetune.stepps", 3, "finetune.stepps: unknown key, did you mean 'steps'?"),
        ("finetune.batch", 0, "finetune.batch: expected at least 1, found 0"),
        ("finetune.metric", "accuracy", "finetune.metric: expected one of dice, pooled_dice"),
        ("finetune.learning_rates", [], "finetune.learning_rates: expected at least 1 entries"),
        ("finetune.augment.flipp", 1, "finetune.augment.flipp: unknown key, did you mean 'flip'?"),
        ("finetune.augment.flip", 1.5, "expected at most 1, found 1.5"),
        ("finetune.collaboration", {"consistency": 0}, "expected a weight above 0"),
        ("input.window", [16, 16], "input.window: expected an entry number 3"),
        ("input.normalisation", "minmax", "input.normalisation: expected one of zscore"),
        ("pretexts.masked.steps", "8", "pretexts.masked.steps: expected integer, found '8'"),
        ("pretexts.masked-ens", RECIPE["pretexts"]["masked"], "expected text like"),
        ("network", {"channels": [4]}, "network: expected the key 'name'"),
        ("recipe_version", 0, "recipe_version: expected at least 1, found 0"),
    ],
)
def test_a_fault_is_told_by_its_place_and_what_was_expected(path, value, message):
    with pytest.raises(InputError) as told:
        check(Recipe, changed(path, value), "unet.yaml")
    assert message in str(told.value)
    assert all(line.startswith("unet.yaml: ") for line in str(told.value).splitlines())


def test_every_fault_of_a_recipe_is_told_at_once():
    recipe = changed("finetune.batch", 0)
    recipe["input"]["normalisation"] = "minmax"
    with pytest.raises(InputError) as told:
        check(Recipe, recipe, "unet.yaml")
    assert len(str(told.value).splitlines()) == 2


def test_an_encoder_depends_on_its_own_pretext_and_on_no_other_section():
    recipe, other = (check(Recipe, each, "") for each in (RECIPE, changed("finetune.steps", 9)))
    assert recipe.pretraining("masked") == other.pretraining("masked")
    assert recipe.finetuning() != other.finetuning()
    fewer = check(Recipe, changed("pretexts.masked.volumes", 2), "")
    assert recipe.pretraining("masked") == fewer.pretraining("masked")  # they are its inputs


def test_a_raised_version_changes_what_encoders_and_models_depend_on():
    recipe, raised = (check(Recipe, each, "") for each in (RECIPE, changed("recipe_version", 2)))
    assert recipe.pretraining("masked") != raised.pretraining("masked")
    assert recipe.finetuning() != raised.finetuning()


def test_scratch_long_is_as_long_as_the_longest_pretraining():
    assert check(Recipe, RECIPE, "").finetuning().pretraining_steps == 20


def test_parts_survive_the_way_through_plain_data():
    recipe = check(Recipe, RECIPE, "")
    for kind, part in (
        (PretrainingRecipe, recipe.pretraining("masked")),
        (FinetuningRecipe, recipe.finetuning()),
    ):
        assert check(kind, part.model_dump(mode="json"), "") == part


def test_options_of_a_network_and_a_task_are_kept_for_their_code():
    recipe = check(Recipe, RECIPE, "")
    assert recipe.network.options == {"channels": [4, 8], "strides": [2]}
    assert recipe.pretexts["masked"].options == {"ratio": 0.6}


def test_a_number_is_an_operations_probability_and_what_never_happens_is_left_out():
    settings = {"flip": 0.5, "noise": {"probability": 0.3, "sd": 0.1}, "gamma": 0}
    augmentation = check(Augmentation, settings, "augment")
    assert augmentation.model_dump(mode="json") == {
        "flip": {"probability": 0.5},
        "noise": {"probability": 0.3, "sd": 0.1},
    }
