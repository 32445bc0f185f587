"""A new method's files are copied from a template and keep the contract as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from selma3d.challenge import Challenge
from selma3d.challenge.new_method import new_method
from selma3d.system.errors import InputError


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    """What `new_method` reads of a repository, to write in."""
    root = tmp_path / "checkout"
    shutil.copytree(repository / "config", root / "config")
    return root


def challenge(root: Path, **changes) -> Challenge:
    config = yaml.safe_load((root / "config" / "config.yaml").read_text())
    return Challenge.of(config | {"methods": ["mine-2"]} | changes, root)


@pytest.mark.parametrize("kind", ["recipe", "rule"])
def test_the_files_keep_the_contract_and_no_other_file_changes(checkout, kind):
    before = {file: file.read_bytes() for file in checkout.rglob("*") if file.is_file()}
    written = new_method("mine-2", kind, root=checkout)
    after = {file for file in checkout.rglob("*") if file.is_file()}
    assert after - set(before) == set(written)
    assert all(file.read_bytes() == content for file, content in before.items())
    assert not any("@" in file.read_text().replace("@dataclass", "") for file in written)
    planned = challenge(checkout)
    planned.check_named_methods()
    assert planned.methods["mine-2"].about.kind == kind


def test_each_new_method_has_a_colour_of_its_own(checkout):
    for number in range(5):
        new_method(f"mine-{number}", "recipe", root=checkout)
    methods = challenge(checkout, methods=[f"mine-{n}" for n in range(5)]).methods
    colours = [method.about.colour for method in methods.values()]
    assert len(set(colours)) == 5


def test_a_private_folder_holds_all_files_of_its_method(checkout, tmp_path):
    folder = tmp_path / "private"
    new_method("mine-2", "rule", folder, root=checkout)
    assert {f.name for f in folder.iterdir()} == {"mine-2.yaml", "mine-2.smk", "mine_2.py"}
    planned = challenge(checkout, method_folders=[str(folder)])
    assert planned.methods["mine-2"].rules == folder / "mine-2.smk"


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("", "rule", "NAME: expected lower-case letters"),
        ("../evil", "rule", "NAME: expected lower-case letters"),
        ("My Method", "rule", "found 'My Method'"),
        ("unet", "rule", "NAME: 'unet' is taken by .*unet.yaml"),
        ("mine", "foreign", "KIND: expected recipe or rule, found 'foreign'"),
    ],
)
def test_what_cannot_be_a_method_is_refused_and_nothing_is_written(checkout, name, kind, message):
    before = sorted(checkout.rglob("*"))
    with pytest.raises(InputError, match=message):
        new_method(name, kind, root=checkout)
    assert sorted(checkout.rglob("*")) == before
