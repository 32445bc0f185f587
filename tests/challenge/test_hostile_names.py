"""Names in settings become folders, and one reaches a shell: none leads elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from selma3d.challenge import Challenge
from selma3d.challenge.config import layer
from selma3d.system.errors import InputError

BAD = ["../escaped", "../../../escaped", "/absolute", "a/b", "..", ".", "", ".hidden", "a\n", "-x"]


@pytest.fixture
def challenge(repository: Path, tmp_path: Path) -> Callable[..., Challenge]:
    """The demo's challenge with a changed edition and configuration."""
    shutil.copytree(repository / "config", tmp_path / "config")
    edition = tmp_path / "config" / "editions" / "demo.yaml"

    def build(change: Callable[[dict], None] = lambda content: None, **settings) -> Challenge:
        content = yaml.safe_load(edition.read_text())
        change(content)
        edition.write_text(yaml.safe_dump(content))
        layers = [
            yaml.safe_load((tmp_path / "config" / f"{name}.yaml").read_text())
            for name in ("config", "demo")
        ]
        return Challenge.of(layer(*layers) | settings, tmp_path)

    return build


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("key", ["archive", "group", "target", "structure"])
def test_names_of_an_edition_do_not_leave_the_results(challenge, key: str, name: str) -> None:
    def change(edition: dict) -> None:
        vessel = edition["structures"]["vessel"]
        if key == "archive":
            edition["archives"][name] = {"kind": "local", "licence": "MIT", "folder": "x"}
        elif key == "structure":
            edition["structures"][name] = vessel
        else:
            vessel[key] = name

    with pytest.raises(InputError, match=r"demo\.yaml: (archives|structures)"):
        _ = challenge(change).structures


@pytest.mark.parametrize("name", ["null", "nan"])
def test_names_that_tables_take_for_missing_values_are_refused(challenge, name: str) -> None:
    def change(edition: dict) -> None:
        edition["structures"][name] = edition["structures"]["vessel"]

    with pytest.raises(InputError, match=rf"demo\.yaml: structures\.{name}: expected text like"):
        _ = challenge(change).structures


@pytest.mark.parametrize(
    "image",
    ["x.sif;touch$IFS./PWNED;#", "$(touch PWNED)", "`id`", "a b.sif", "x.sif\n", "-x", "a|b", "x&"],
)
def test_a_container_reaches_no_shell(challenge, image: str) -> None:
    with pytest.raises(InputError, match="config: container"):
        challenge(container=image)


@pytest.mark.parametrize(
    "image",
    [None, "docker://ghcr.io/lab/selma3d:1.0", "/data/my-images/x_1.sif", "oras://a/b@sha256:0f"],
)
def test_addresses_and_paths_of_images_are_accepted(challenge, image: str | None) -> None:
    assert challenge(container=image).structures
