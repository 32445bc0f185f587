"""An edition is a file, and its name means nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from selma3d.challenge import Challenge
from selma3d.challenge.config import layer, read_config
from selma3d.challenge.participants import expected_runs
from selma3d.system.errors import InputError


def challenge(root: Path, edition: str) -> Challenge:
    config = yaml.safe_load((root / "config" / "config.yaml").read_text())
    own = yaml.safe_load((root / "config" / f"{edition}.yaml").read_text())
    return Challenge.of(layer(config, own) | {"methods": ["threshold"]}, root)


def test_each_structure_of_2026_is_ranked_in_its_group(repository):
    groups = challenge(repository, "selma2026").ranking_groups()
    assert groups["dense-isolated"] == ["cfos", "nucleus", "microglia"]
    assert groups["sparse-isolated"] == ["plaque", "egfp"]
    assert groups["dense-contiguous"] == ["vessel", "gut-lymphatic"]
    assert groups["sparse-contiguous"] == ["peripheral-nerve", "axon", "gut-nerve"]


def test_what_2026_never_annotated_is_segmented_and_never_learnt(repository):
    planned = challenge(repository, "selma2026")
    unseen = {name for name in planned.scored if not planned.structures[name].seen}
    assert unseen == {"microglia", "egfp", "gut-lymphatic", "gut-nerve"}
    learnt = {name for target in planned.targets.values() for name in target.learns}
    assert not unseen & learnt


def test_2026_pretrains_on_patches_of_66_images_of_fourteen_structures(repository):
    planned = challenge(repository, "selma2026")
    published = {
        name: s.published for name, s in planned.edition.structures.items() if s.published.crops
    }
    assert sum(of.crops for of in published.values()) == 35050
    images = dict.fromkeys(("spot-like", "vessel-like"), 0)
    for name, of in published.items():
        images[planned.structures[name].group] += of.volumes
    assert images == {"spot-like": 30, "vessel-like": 36}
    learnt = {row.structure for group in images for row in planned.volumes(group)}
    assert learnt == set(published)


def test_2025_ranks_its_two_tasks(repository):
    planned = challenge(repository, "selma2025")
    assert set(planned.ranking_groups()) == {"isolated", "contiguous"}
    assert set(planned.targets) == {"isolated", "contiguous"}


@pytest.mark.parametrize(
    ("edition", "structure", "output", "kind", "inputs_key"),
    [
        ("selma2025", "cfos", "images/isolated-biological-structure", "process", "interface"),
        ("selma2025", "vessel", "images/contiguous-biological-structure", "process", "interface"),
        ("selma2026", "cfos", "images/isolated-biological-structure", "server", "socket"),
        ("selma2026", "vessel", "images/isolated-biological-structure", "server", "socket"),
    ],
)
def test_a_container_is_called_as_its_edition_says(
    repository, edition, structure, output, kind, inputs_key
):
    assert challenge(repository, edition).container_slugs(structure) == {
        "input": "images/light-sheet-3d-microscopy",
        "output": output,
        "kind": kind,
        "inputs_key": inputs_key,
    }


def test_a_container_with_an_unknown_folder_is_refused(repository, tmp_path):
    shutil.copytree(repository / "config", tmp_path / "config")
    file = tmp_path / "config" / "editions" / "selma2025.yaml"
    edition = yaml.safe_load(file.read_text())
    edition["containers"]["output"]["vessel-like"] = "unknown"
    file.write_text(yaml.safe_dump(edition))
    with pytest.raises(InputError, match=r"selma2025.yaml: containers: .* found 'unknown' \(fill"):
        challenge(tmp_path, "selma2025").container_slugs("vessel")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"a": ["vessel", "cfos"], "b": ["microglia", "cfos"]}, "expected 'cfos' in one group"),
        ({"a": ["vessel", "cfos"]}, "expected 'microglia' in one group, found it in 0"),
        ({"a": ["vessel", "cfos", "cells"], "b": ["microglia"]}, "cells: the edition has no such"),
    ],
)
def test_groups_that_do_not_hold_each_structure_once_are_refused(
    repository, tmp_path, groups, message
):
    shutil.copytree(repository / "config", tmp_path / "config")
    file = tmp_path / "config" / "editions" / "demo.yaml"
    edition = yaml.safe_load(file.read_text())
    edition["ranking"] = {"rule": "mean-then-rank", "groups": groups}
    file.write_text(yaml.safe_dump(edition))
    with pytest.raises(InputError, match=message):
        challenge(tmp_path, "demo").ranking_groups()


@pytest.mark.parametrize(
    ("leaderboard", "message"),
    [
        ({"groups": ["dense"]}, "leaderboards.mine.groups: no group 'dense' .known: dense-cont"),
        ({"types": {"a": ["dense-isolated"]}}, "types: expected each of dense-contiguous, .* once"),
        ({"pooled": True, "groups": ["dense-isolated"]}, "pooled: expected neither groups nor"),
        ({"self_supervised": "perhaps"}, "mine.self_supervised: expected"),
    ],
)
def test_a_leaderboard_of_groups_that_do_not_exist_is_refused(
    repository, tmp_path, leaderboard, message
):
    shutil.copytree(repository / "config", tmp_path / "config")
    file = tmp_path / "config" / "editions" / "selma2026.yaml"
    edition = yaml.safe_load(file.read_text())
    edition["ranking"]["leaderboards"] = {"mine": {"title": "Mine", **leaderboard}}
    file.write_text(yaml.safe_dump(edition))
    with pytest.raises(InputError, match=message):
        challenge(tmp_path, "selma2026").ranking_settings()


def test_what_learns_from_unannotated_images_without_an_encoder_counts_as_self_supervised(
    repository,
):
    config = read_config(repository, keys={"edition": "selma2025", "methods": "all"})
    planned = Challenge(config, repository)
    assert sorted(planned.learning_without_labels) == ["collaborative", "wnet3d"]


@pytest.mark.parametrize(
    "edition", ["selma2024", "selma2024-open", "selma2025", "selma2026", "demo", "real"]
)
def test_an_edition_under_another_name_is_the_same_challenge(repository, tmp_path, edition):
    shutil.copytree(repository / "config", tmp_path / "config")
    for folder, suffix in (("editions", ".yaml"), ("samples", ".tsv")):
        place = tmp_path / "config" / folder
        (place / f"{edition}{suffix}").rename(place / f"mine{suffix}")
    config = read_config(repository, keys={"edition": edition, "methods": ["unet"]})
    mine = Challenge(config.model_copy(update={"edition": "mine"}), tmp_path)
    theirs = Challenge(config, repository)
    assert mine.structures == theirs.structures
    assert mine.targets == theirs.targets
    assert mine.ranking_groups() == theirs.ranking_groups()
    assert mine.note == theirs.note
    assert expected_runs(mine).equals(expected_runs(theirs))
