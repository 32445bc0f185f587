"""Virtual environments of methods, built from exact pins, with a table of what is installed.

Without that table an environment is not finished, whatever lies in its folder, and is built anew.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...system.atomic import publish, write_table
from ...system.errors import InputError
from .programs import run

log = logging.getLogger(__name__)

PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,_-]+\])?==[^\s;=]+(\s*;.+)?")
FINISHED = "finished-from-pins.txt"  # in the environment: the pins that it was finished from
LIST = """
import importlib.metadata, json, platform
found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
print(json.dumps([["python", platform.python_version()], *sorted(found.items())]))
"""
MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Environment:
    """A method's own environment, and what its programs may use of the machine."""

    folder: Path
    threads: int = 1
    gpu: bool = False

    def program(self, name: str) -> Path:
        """One of its commands, such as `python`."""
        return self.folder / "bin" / name


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return Environment(folder).program("python")


def build(
    pins: Path, modules: Sequence[str], folder: Path, installed: Path, program_log: Path
) -> None:
    """Make `folder` an environment with what `pins` names, and list it in the table `installed`.

    modules: imported in it before it counts as finished. program_log: what pip prints. An
    environment that was finished from the same pins, by another checkout say, is kept.
    Raises InputError for a line that is no exact pin, and where installing or importing fails;
    nothing of the environment is left then.
    """
    check_pins(pins)
    installed.unlink(missing_ok=True)
    finished = folder / FINISHED
    if not (finished.exists() and finished.read_bytes() == pins.read_bytes()):
        _install(pins, folder, program_log)
    try:
        record(folder, modules, installed, program_log)
    except BaseException:
        shutil.rmtree(folder)
        raise
    with publish(finished) as temporary:
        temporary.write_bytes(pins.read_bytes())


def _install(pins: Path, folder: Path, program_log: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    try:
        run([sys.executable, "-m", "venv", folder], program_log=program_log)
        quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        run(
            [python_of(folder), "-m", "pip", "install", *quiet, "-r", pins], program_log=program_log
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def record(folder: Path, modules: Sequence[str], installed: Path, program_log: Path) -> None:
    """Import `modules` in an environment that exists, and list its packages in `installed`.

    Raises InputError for a folder without an interpreter, and where an import fails.
    """
    python = python_of(folder)
    if not python.exists():
        raise InputError(
            f"{folder}: expected an environment with bin/python, found none "
            "(config: environments.existing)"
        )
    wrong = [name for name in modules if not MODULE.fullmatch(name)]
    if wrong:
        raise InputError(f"{folder}: expected a module's name, found {wrong[0]!r}")
    for name in modules:
        run([python, "-c", f"import {name}"], program_log=program_log)
    write_table(_packages(python), installed)


def check_pins(pins: Path) -> None:
    """Raise InputError for a line that does not name one exact version."""
    for number, line in enumerate(pins.read_text().splitlines(), start=1):
        pin = line.partition("#")[0].strip()
        if pin and not PIN.fullmatch(pin):
            raise InputError(f"{pins}, line {number}: expected <package>==<version>, found {pin!r}")


def _packages(python: Path) -> pd.DataFrame:
    """Package and version, Python's own first."""
    said = subprocess.run([str(python), "-c", LIST], capture_output=True, text=True, check=True)
    return pd.DataFrame(json.loads(said.stdout), columns=["package", "version"])
