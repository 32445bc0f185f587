"""Every environment that the project describes pins what requirements/ pins."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CONDA = ("selma3d", "selma3d-cpu")
NAMES_IN_CONDA = {"pytorch": "torch"}


def pins(lines: list[str]) -> dict[str, str]:
    """Versions by name of `name==version` lines."""
    bare = (line.partition("#")[0].strip() for line in lines)
    pinned = (line.split("==") for line in bare if "==" in line)
    return {canonicalize_name(name): version for name, version in pinned}


@pytest.fixture(scope="module")
def required(repository: Path) -> dict[str, str]:
    folder = repository / "requirements"
    files = ("constraints.txt", "runtime.txt")
    lines = [line for name in files for line in (folder / name).read_text().splitlines()]
    return pins(lines)


def brought_along(roots: list[str]) -> set[str]:
    """The distributions that these need, with all that those need, in this environment."""
    found, waiting = set(), list(roots)
    while waiting:
        asked = Requirement(waiting.pop())
        if (asked.name, frozenset(asked.extras)) in found:
            continue
        found.add((asked.name, frozenset(asked.extras)))
        for text in metadata.requires(asked.name) or []:
            needed = Requirement(text)
            extras = asked.extras or {""}
            if needed.marker and not any(needed.marker.evaluate({"extra": e}) for e in extras):
                continue
            needed.marker = None
            waiting.append(str(needed))
    return {canonicalize_name(name) for name, _ in found}


def conda_pins(repository: Path, name: str) -> dict[str, str]:
    """Everything that a conda file pins, by the name it has on the package index."""
    content = yaml.safe_load((repository / f"workflow/envs/{name}.yaml").read_text())
    own = [entry.split("=") for entry in content["dependencies"] if isinstance(entry, str)]
    pip = next(entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))
    conda = {NAMES_IN_CONDA.get(p[0], p[0]): p[1] for p in own if len(p) > 1 and p[0] != "python"}
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.!+-]+", line) for line in pip)
    return pins(pip) | conda


@pytest.mark.parametrize("name", CONDA)
def test_conda_pins_are_those_of_requirements(repository, required, name):
    pinned = conda_pins(repository, name)
    assert {n: v for n, v in pinned.items() if required.get(n) != v} == {}


@pytest.mark.parametrize("name", CONDA)
def test_conda_pins_all_that_a_run_needs(repository, required, name):
    runtime = pins((repository / "requirements/runtime.txt").read_text().splitlines())
    pinned = conda_pins(repository, name)
    assert set(runtime) <= set(pinned)
    of_torch = {"setuptools", "triton"}  # torch's own build says which, and CUDA's parts
    needed = {n for n in brought_along(list(runtime)) if not n.startswith(("nvidia", "cuda"))}
    assert needed - of_torch <= set(pinned)


@pytest.mark.parametrize("name", ["Dockerfile", "selma3d.def"])
def test_images_install_from_requirements_and_pin_nothing_of_their_own(repository, name):
    text = (repository / "workflow/envs" / name).read_text()
    assert "--requirement runtime.txt --constraint constraints.txt" in text
    commands = [line for line in text.splitlines() if not line.startswith("#")]
    assert not re.search(r"[a-z0-9]==\d", "\n".join(commands))


def test_all_environments_have_one_python(repository):
    versions = {
        re.search(r"python[=:](3\.\d+)", (repository / "workflow/envs" / name).read_text()).group(1)
        for name in ("selma3d.yaml", "selma3d-cpu.yaml", "Dockerfile", "selma3d.def")
    }
    assert len(versions) == 1
