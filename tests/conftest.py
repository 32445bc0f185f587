"""Fixtures that several test folders share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))


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
