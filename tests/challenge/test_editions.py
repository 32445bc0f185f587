"""Every edition is a file; nothing in the code names one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from selma3d.challenge import Challenge
from selma3d.challenge.parts import layer
from selma3d.system.errors import InputError


def challenge(root: Path, edition: str) -> Challenge:
    config = yaml.safe_load((root / "config" / "config.yaml").read_text())
    own = yaml.safe_load((root / "config" / f"{edition}.yaml").read_text())
    return Challenge(layer(config, own) | {"methods": ["threshold"]}, root)


def test_each_structure_of_2026_is_ranked_in_its_group(repository):
    groups = challenge(repository, "selma2026").ranking_groups()
    assert groups["dense-isolated"] == ["cfos", "nucleus", "microglia"]
    assert groups["sparse-isolated"] == ["plaque", "egfp"]
    assert groups["dense-contiguous"] == ["vessel", "gut-lymphatic"]
    assert groups["sparse-contiguous"] == ["peripheral-nerve", "axon", "gut-nerve"]


def test_what_2026_never_annotated_is_segmented_and_never_learnt(repository):
    planned = challenge(repository, "selma2026")
    unseen = {name for name, structure in planned.structures.items() if not structure.seen}
    assert unseen == {"microglia", "egfp", "gut-lymphatic", "gut-nerve"}
    learnt = {name for target in planned.targets.values() for name in target.learns}
    assert not unseen & learnt
    assert unseen <= set(planned.scored)


def test_2025_ranks_its_two_tasks(repository):
    planned = challenge(repository, "selma2025")
    assert set(planned.ranking_groups()) == {"isolated", "contiguous"}
    assert set(planned.targets) == {"isolated", "contiguous"}


def test_a_container_has_the_slugs_of_its_task_and_unknown_ones_are_refused(repository):
    planned = challenge(repository, "selma2025")
    assert planned.container_slugs("cfos") == {
        "input": "images/light-sheet-3d-microscopy",
        "output": "images/isolated-biological-structure",
    }
    with pytest.raises(InputError, match=r"selma2025.yaml: containers: .* found 'unknown' \(fill"):
        planned.container_slugs("vessel")


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


def test_nothing_in_the_code_names_an_edition(repository):
    """Metric profiles are definitions of their own; they alone share the editions' names."""
    profiles = ("metrics/", "metrics_json.py", "schemas/edition.schema.yaml")
    files = [
        f for f in (repository / "workflow").rglob("*") if f.suffix in (".py", ".smk", ".yaml")
    ]
    named = [
        f"{file.relative_to(repository)}: {line.strip()}"
        for file in [*files, repository / "Snakefile"]
        if not any(profile in file.as_posix() for profile in profiles)
        for line in file.read_text().splitlines()
        if re.search(r"selma20\d\d|[\"']demo[\"']|edition *== ", line)
    ]
    assert named == []
