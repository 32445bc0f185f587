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
SETTINGS = {
    "edition": "mylab",
    "size": "small",
    "test_cases": "held-out",
    "methods": ["unet", "threshold"],
    "inits": ["scratch", "masked"],
    "leave_one_structure_out": False,
    "segment": {"methods": ["unet"]},
}
SUMMARIES = {"case_exports", "cost", "figures", "panels", "rank", "report", "tables"}
ABOUT = ("group", "target", "structure", "sample", "run")
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
    (folder / "mylab.yaml").write_text(yaml.safe_dump(SETTINGS))
    workflow = Workflow(folder, root, layers=("../mylab.yaml",))
    ran = workflow.run(*PATCHES, *VOLUMES, "--quiet", "rules")
    assert ran.returncode == 0, ran.stderr[-3000:]
    return workflow


@pytest.fixture(scope="module")
def finished(converted: Workflow) -> Workflow:
    """The same when all jobs have run, in name: what they make is there, and empty."""
    ran = converted.run("all", "--summary")
    assert ran.returncode == 0, ran.stderr[-3000:]
    listed = [line.partition("\t")[0] for line in ran.stdout.splitlines()[1:] if "\t" in line]
    for path in (converted.folder / name for name in listed):
        if path.suffix in ("", ".zarr"):
            path.mkdir(parents=True, exist_ok=True)
        elif not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    ran = converted.run("all", "--touch", "--forceall", "--quiet", "all")
    assert ran.returncode == 0, ran.stderr[-3000:]
    return converted


def again(workflow: Workflow) -> dict[str, set[str]]:
    """The jobs that a new run would do: by rule, what each is about."""
    ran = workflow.run("all", "--dry-run")
    assert ran.returncode == 0, ran.stderr[-3000:]
    jobs: dict[str, set[str]] = {}
    for rule, facts in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", ran.stdout, re.M):
        wildcards = re.search(r"wildcards: (.*)", facts)
        named = dict(pair.split("=") for pair in wildcards[1].split(", ")) if wildcards else {}
        about = "/".join(named[key] for key in ABOUT if key in named)
        jobs.setdefault(rule, set()).add(about)
    summaries = {rule for rule, about in jobs.items() if about == {""}}
    assert summaries >= SUMMARIES or not jobs
    return {rule: about for rule, about in jobs.items() if rule not in summaries}


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


def of_patches(name: str) -> dict[str, set[str]]:
    """All that is made from the patches of a structure, but for segmented volumes."""
    rules = ("convert_patches", "split", "draw_cases", "overview", "references", "score")
    jobs = {rule: {name} for rule in (*rules, "pretrain", "threshold_method")}
    runs = {"scratch-nall-f0-s0", "masked-nall-f0-s0"}
    jobs["finetune"] = {f"{name}/{run}" for run in runs}
    return jobs | {f"predict_{name}": runs, "check": {f"{name}/default"}}


# What the model that segments the volumes of neurite leads to.
SEGMENTED = ("segment_volume", "instances", "objects", "brain_page")
EXPORTED = ("export_zarr", "export_labels_zarr")
BRAINS = {rule: {"neurite/v1", "neurite/v2"} for rule in (*SEGMENTED, *EXPORTED)}
# An encoder has seen the volume, and so has what is fine-tuned from it.
OF_VOLUME = {
    "convert_volume": {"neurite/v1"},
    "pretrain": {"neurite"},
    "finetune": {"neurite/masked-nall-f0-s0"},
    "predict_neurite": {"masked-nall-f0-s0"},
    "score": {"neurite"},
}


@pytest.mark.parametrize(
    ("changes", "jobs"),
    [
        ([replace_plane_of_another_channel, touch_what_nobody_names], {}),
        ([correct_mask], of_patches("cell")),
        ([add_patch], of_patches("cell")),
        ([correct_mask_of_a_row], of_patches("neurite") | BRAINS),
        ([replace_plane], OF_VOLUME | BRAINS),
    ],
    ids=["what nobody names", "mask", "new patch", "mask of a row", "plane"],
)
def test_a_change_runs_exactly_what_depends_on_it(finished: Workflow, changes, jobs) -> None:
    lab, kept = finished.folder / "lab", finished.folder / "kept"
    shutil.copytree(lab, kept, copy_function=shutil.copy2)
    try:
        for change in changes:
            change(lab)
        assert again(finished) == jobs
    finally:
        shutil.rmtree(lab)
        os.rename(kept, lab)  # noqa: PTH104, times and all
