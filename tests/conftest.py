"""Fixtures that several test folders share."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))


# Files that pytest-xdist's workers begin with, in this order; the others follow. The first makes
# the finished challenge that most of `workflow` waits for, the next three have no need of it.
LONGEST = [
    "workflow/test_chain.py",
    "slurm/test_on_slurm.py",
    "faults",
    "workflow/test_bad_input.py",
    "workflow/test_run.py",
    "workflow/test_other_ways_in.py",
    "workflow/test_inference.py",
    "workflow/test_plan.py",
    "workflow/test_broken_methods.py",
    "workflow",
    "learning",
]
PARALLEL = "PYTEST_XDIST_WORKER" in os.environ


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(ROOT / "tests").as_posix()
        return next((n for n, name in enumerate(LONGEST) if path.startswith(name)), len(LONGEST))

    if PARALLEL:
        items.sort(key=place)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """What a script or a command sets up for its own process ends with the test that ran it."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Fill a folder of this name, which all workers use: the first makes it, others wait for it."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if PARALLEL else shared

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this checkout."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real light-sheet images in the archive's layout: $SELMA3D_REAL_DATA, or ../shared/data."""
    folder = Path(os.environ.get("SELMA3D_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "S-BIAD1196").is_dir():
        pytest.skip(f"no real images at {folder} (set SELMA3D_REAL_DATA)")
    return folder
