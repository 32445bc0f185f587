"""Local archives are read where they lie, and what is changed in them is converted again."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from tests.workflow.tiny_challenge import ROOT, Workflow

EDITION = {
    "edition": "mylab",
    "archives": {"lab": {"kind": "local"}},
    "structures": {
        "cell": {"scored_as": "spot-like", "patches": {"archive": "lab", "folder": "cells"}},
        "neurite": {"scored_as": "vessel-like"},
    },
}
HEAD = "structure\tkind\tsample\tspecimen\trole\tarchive\timage\tmask"
ROWS = [
    "neurite\tpatch\tn1\tm1\t\tlab\trows/n1.tif\trows/n1_mask.tif",
    "neurite\tpatch\tn2\tm2\t\tlab\trows/n2.tif\trows/n2_mask.tif",
    "neurite\tvolume\tv1\tm3\t\tlab\tscan 1/*_C00_*.tif\t",
    "neurite\tvolume\tv2\tm4\t\tlab\tscan 2\t",
]
PATCHES = [f"results/data/{name}/patches.h5" for name in ("cell", "neurite")]
VOLUMES = [f"results/data/neurite/volumes/{name}.h5" for name in ("v1", "v2")]


def stack(path: Path, seed: int, *, mask: bool = False) -> None:
    grey = np.random.default_rng(seed).integers(0, 4000, (6, 20, 24)).astype(np.uint16)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = (grey > 3500).astype(np.uint8) if mask else grey
    tifffile.imwrite(path, written, photometric="minisblack")


def pair(lab: Path, number: int) -> None:
    stack(lab / f"cells/raw/00{number}_0000.tif", number)
    stack(lab / f"cells/gt/00{number}.tif", number, mask=True)


def plane(lab: Path, scan: int, name: str, seed: int) -> None:
    grey = np.random.default_rng(seed).integers(0, 4000, (20, 24)).astype(np.uint16)
    (lab / f"scan {scan}").mkdir(exist_ok=True)
    tifffile.imwrite(lab / f"scan {scan}" / name, grey)


@pytest.fixture(scope="module")
def converted(tmp_path_factory) -> Workflow:
    """A lab's folder, and a working folder in which all of it has been converted."""
    folder = tmp_path_factory.mktemp("in place")
    lab, root = folder / "lab", folder / "selma3d"
    for number in range(2):
        pair(lab, number)
    for name in ("n1", "n2"):
        stack(lab / f"rows/{name}.tif", 5)
        stack(lab / f"rows/{name}_mask.tif", 5, mask=True)
    for scan in (1, 2):
        for z in range(4):
            plane(lab, scan, f"s_C00_{z}.tif", z)
    for z in range(4):
        plane(lab, 1, f"s_C01_{z}.tif", z)
    for part in ("config", "workflow", "profiles"):
        shutil.copytree(ROOT / part, root / part)
    shutil.copy(ROOT / "Snakefile", root)
    EDITION["archives"]["lab"]["folder"] = str(lab)
    (root / "config/editions/mylab.yaml").write_text(yaml.safe_dump(EDITION))
    (root / "config/samples/mylab.tsv").write_text("\n".join([HEAD, *ROWS]) + "\n")
    settings = {"edition": "mylab", "test_cases": "held-out", "methods": ["threshold"]}
    (folder / "mylab.yaml").write_text(yaml.safe_dump(settings))
    workflow = Workflow(folder, root, layers=("../mylab.yaml",))
    ran = workflow.run(*PATCHES, *VOLUMES, "--quiet", "rules")
    assert ran.returncode == 0, ran.stderr[-3000:]
    return workflow


def again(workflow: Workflow) -> set[str]:
    """The outputs that a new run would make."""
    ran = workflow.run(*PATCHES, *VOLUMES, "--dry-run")
    assert ran.returncode == 0, ran.stderr[-3000:]
    return set(re.findall(r"output: (results/[^,\s]+)", ran.stdout + ran.stderr))


def test_nothing_is_copied_linked_or_run_twice(converted: Workflow) -> None:
    assert not (converted.results / "archive").exists()
    lab = converted.folder / "lab"
    assert {file.stat().st_nlink for file in lab.rglob("*.tif")} == {1}


def correct_mask(lab: Path) -> None:
    stack(lab / "cells/gt/001.tif", 77, mask=True)


def add_patch(lab: Path) -> None:
    pair(lab, 2)


def correct_mask_of_a_row(lab: Path) -> None:
    stack(lab / "rows/n2_mask.tif", 78, mask=True)


def replace_plane(lab: Path) -> None:
    plane(lab, 1, "s_C00_2.tif", 99)


def replace_plane_of_another_channel(lab: Path) -> None:
    plane(lab, 1, "s_C01_2.tif", 99)


def touch_what_nobody_names(lab: Path) -> None:
    (lab / "notes.txt").write_text("looked at on Monday")
    (lab / "cells/raw/Thumbs.db").write_bytes(b"0")


@pytest.mark.parametrize(
    ("changes", "made"),
    [
        ([replace_plane_of_another_channel, touch_what_nobody_names], set()),
        ([correct_mask, replace_plane], {PATCHES[0], VOLUMES[0]}),
        ([add_patch], {PATCHES[0]}),
        ([correct_mask_of_a_row], {PATCHES[1]}),
    ],
    ids=["what nobody names", "mask and plane", "new patch", "mask of a row"],
)
def test_a_change_runs_exactly_what_depends_on_it(converted: Workflow, changes, made) -> None:
    lab, kept = converted.folder / "lab", converted.folder / "kept"
    shutil.copytree(lab, kept, copy_function=shutil.copy2)
    try:
        for change in changes:
            change(lab)
        assert again(converted) == made
    finally:
        shutil.rmtree(lab)
        os.rename(kept, lab)  # noqa: PTH104, times and all
