"""Jobs start without the libraries that MONAI would import, and can use them all the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
UNUSED = {"PIL", "matplotlib", "nibabel", "scipy.signal", "scipy.stats", "skimage", "zarr"}


def imported_by(code: str) -> set[str]:
    """The modules that a new process has imported after `code`."""
    told = f"import sys\nsys.path.insert(0, {str(SCRIPTS)!r})\n{code}\nprint(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, timeout=120, check=True
    )
    return set(ran.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("script", ["pretrain", "finetune", "predict", "segment_slab"])
def test_a_job_does_not_import_what_it_does_not_use(script: str) -> None:
    imported = imported_by(f"import {script}")
    assert "monai.networks.nets" in imported
    assert imported.isdisjoint(UNUSED)


def test_the_library_alone_leaves_monai_whole() -> None:
    assert imported_by("import selma3d.learning.training") > UNUSED


def test_every_script_that_needs_monai_takes_the_short_way() -> None:
    packages = re.compile(r"^from selma3d(\.\w+)* import .*\b(inference|training|networks)\b", re.M)
    needing = [s for s in SCRIPTS.glob("*.py") if packages.search(s.read_text())]
    assert len(needing) > 5
    for script in needing:
        assert "\nimport lean_monai  # noqa: F401\nfrom job import" in script.read_text(), script


def test_what_was_hidden_can_be_imported_afterwards() -> None:
    names = ", ".join(sorted(UNUSED))
    assert imported_by(f"import lean_monai\nimport {names}") >= UNUSED


@pytest.mark.parametrize("there", [False, True])
def test_only_a_library_that_is_not_there_yet_is_hidden(there: bool) -> None:
    code = f"""
import lean_monai
if {there}:
    import wave
try:
    with lean_monai.without(("wave",)):
        import wave
    sys.modules["found"] = wave
except ImportError:
    pass
import wave
"""
    imported = imported_by(code)
    assert "wave" in imported
    assert ("found" in imported) == there
