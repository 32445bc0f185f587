"""Methods are files; one that breaks the contract costs itself, by name, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from selma3d.challenge import Challenge
from selma3d.challenge.display import Display
from selma3d.learning import networks
from selma3d.system.errors import InputError

RULE = {
    "name": "mine",
    "title": "Mine",
    "kind": "rule",
    "runs": "default",
    "idea": "One sentence that says what the method does.",
    "citation": "none",
    "licence": "MIT",
    "colour": "#123456",
    "capabilities": {
        "gpu": False,
        "unannotated": False,
        "learns": "nothing",
        "structure_types": ["spot-like"],
    },
}


@pytest.fixture
def config(repository: Path, tmp_path: Path) -> dict:
    """The shipped configuration, with a folder of private methods."""
    shipped = yaml.safe_load((repository / "config" / "config.yaml").read_text())
    return shipped | {"method_folders": [str(tmp_path)]}


def write(folder: Path, name: str = "mine", rules: bool = True, **changes) -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**RULE, "name": name, **changes}))
    if rules:
        file.with_suffix(".smk").write_text("")
    return file


def left_out(config: dict, repository: Path) -> dict[str, str]:
    challenge = Challenge.of(config, repository)
    shipped = {f.stem for f in (repository / "config" / "methods").glob("*.yaml")}
    assert shipped <= set(challenge.methods)
    return {method.name: method.reason for method in challenge.left_out}


def test_a_private_method_takes_part_beside_the_shipped_ones(repository, config, tmp_path):
    write(tmp_path)
    challenge = Challenge.of(config, repository)
    assert challenge.methods["mine"].rules == tmp_path / "mine.smk"
    assert not challenge.left_out
    challenge.check_named_methods()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rules": False}, "mine.yaml: kind: rule: expected rules in workflow/rules/methods/mine"),
        ({"licence": ""}, "mine.yaml: licence: "),
        ({"colour": "red"}, "mine.yaml: colour: expected text like"),
        ({"lisence": "MIT"}, "mine.yaml: lisence: unknown key, did you mean 'licence'?"),
        ({"code": "https://example.org/code"}, "mine.yaml: commit: expected the version"),
        (
            {"capabilities": {**RULE["capabilities"], "learns": "a lot"}},
            "mine.yaml: capabilities.learns: expected one of per-type, per-structure, nothing",
        ),
    ],
)
def test_a_file_that_violates_the_contract_is_left_out(
    repository, config, tmp_path, changes, reason
):
    write(tmp_path, **changes)
    assert reason in left_out(config, repository)["mine"]


@pytest.mark.parametrize("key", ["name", "title", "idea", "citation", "licence", "capabilities"])
def test_a_missing_key_is_named(repository, config, tmp_path, key):
    file = write(tmp_path)
    file.write_text(yaml.safe_dump({k: v for k, v in RULE.items() if k != key}))
    assert f"expected the key {key!r}" in left_out(config, repository)["mine"]


@pytest.mark.parametrize("content", [b"a: [b", b"\xff\xfe", b"- a list", b""])
def test_a_file_that_is_no_yaml_mapping_is_left_out(repository, config, tmp_path, content):
    write(tmp_path).write_bytes(content)
    assert "mine.yaml: expected" in left_out(config, repository)["mine"]


def test_a_name_that_is_taken_leaves_the_second_file_out(repository, config, tmp_path):
    write(tmp_path, "threshold")
    reason = left_out(config, repository)["threshold"]
    assert str(tmp_path / "threshold.yaml") in reason
    assert "taken by" in reason and str(repository) in reason


def test_quarter_turns_of_oblong_windows_leave_a_recipe_out(repository, config):
    unet = {"input": {"window": [96, 96, 64]}}
    challenge = Challenge.of(config | {"recipe_overrides": {"unet": unet}}, repository)
    (found,) = challenge.left_out
    assert re.search("unet.*: rotate90: expected input.window as wide as high", found.reason)
    for never in (0, {"probability": 0}):
        unet["finetune"] = {"augment": {"rotate90": never}}
        assert (
            Challenge.of(config | {"recipe_overrides": {"unet": unet}}, repository).left_out == []
        )


def test_a_rule_that_needs_a_gpu_is_left_out_where_there_is_none(repository, config, tmp_path):
    write(tmp_path, capabilities={**RULE["capabilities"], "gpu": True})
    assert left_out(config, repository) == {}
    config["resources"]["gpu"] = 0
    assert "capabilities.gpu: true: expected a GPU" in left_out(config, repository)["mine"]


def test_a_broken_method_is_an_error_where_the_config_names_it(repository, config, tmp_path):
    write(tmp_path, rules=False)
    Challenge.of(config, repository).check_named_methods()
    named = Challenge.of(config | {"methods": ["unet", "mine"]}, repository)
    with pytest.raises(InputError, match=r"mine.yaml: .*\(config: methods names 'mine'\)"):
        named.check_named_methods()
    Challenge.of(config | {"methods": ["unet"]}, repository).check_named_methods()


FOREIGN = {"kind": "foreign", "settings": {"predictions": "/data/masks"}, "rules": False}
PROGRAM = {"kind": "submission", "settings": {"command": ["theirs"], "minutes": 1}, "rules": False}
VOTE = {"settings": {"members": [{"method": "theirs"}, {"method": "threshold"}]}}


@pytest.mark.parametrize(("edition", "marked"), [("selma2026", True), ("selma2025", False)])
@pytest.mark.parametrize("participant", [FOREIGN, PROGRAM, {}])
def test_participants_of_other_data_are_marked_where_the_edition_gives_all_data(
    repository, config, tmp_path, participant, edition, marked
):
    capabilities = RULE["capabilities"] | {"other_data": True}
    write(tmp_path, "theirs", capabilities=capabilities, **participant)
    write(tmp_path, "vote", **VOTE)
    write(tmp_path)
    challenge = Challenge.of(config | {"edition": edition}, repository)
    display = Display.read(Display.of(challenge).plain())
    assert {
        name: "†" in display.entrant(name, "default") for name in ("theirs", "vote", "mine")
    } == {
        "theirs": marked,
        "vote": marked,
        "mine": False,
    }
    assert ("† out of competition: learnt from other images" in (display.note or "")) == marked
    assert challenge.ranking_settings()["of_other_data"] == ("theirs", "vote")


def test_a_folder_of_methods_that_is_not_there_is_named(repository, config):
    with pytest.raises(InputError, match=r"method_folders: .*/nowhere: expected a folder"):
        _ = Challenge.of(config | {"method_folders": ["/nowhere"]}, repository).methods


def test_every_shipped_method_keeps_the_contract(repository):
    shipped = yaml.safe_load((repository / "config" / "config.yaml").read_text())
    assert Challenge.of(shipped, repository).left_out == []


@pytest.mark.parametrize("size", ["small", "production"])
def test_every_shipped_recipes_windows_fit_its_network(repository, config, size):
    challenge = Challenge.of(config | {"methods": "all", "size": size}, repository)
    for name in challenge.recipes:
        recipe = challenge.methods[name].recipe
        network = networks.build(recipe.network)
        training = recipe.input.window
        inference = recipe.finetune.inference_window or training
        for window in (training, inference):
            network.check_window(window, f"{name}, {size}")
