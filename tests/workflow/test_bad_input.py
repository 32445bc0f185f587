"""Bad input ends a job with one clear line that names the file, and leaves nothing half-made."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml

from tiny_challenge import ROOT, Workflow

IMAGE, MASK = "raw/patchvolume_001_0000.nii.gz", "gt/patchvolume_001.nii.gz"


def write(path: Path, voxels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path)


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Replace the voxels of a NIfTI file."""
    write(path, change(np.asanyarray(nibabel.load(path).dataobj).copy()))


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {  # of a folder: what is said
    "truncated": (lambda folder: truncate(folder / IMAGE), IMAGE),
    "other-shape": (
        lambda folder: rewrite(folder / MASK, lambda mask: mask[:-1]),
        rf"{MASK}: expected shape \(Z,Y,X\)",
    ),
    "two-axes": (
        lambda folder: rewrite(folder / IMAGE, lambda image: image[..., 0]),
        f"{IMAGE}: expected",
    ),
    "not-a-number": (
        lambda folder: rewrite(folder / IMAGE, lambda image: image.astype(np.float32) * np.nan),
        f"{IMAGE}: expected",
    ),
    "empty-mask": (
        lambda folder: rewrite(folder / MASK, lambda mask: mask * 0),
        f"{MASK}: expected some foreground, found an empty mask",
    ),
    "missing-mask": (lambda folder: (folder / MASK).unlink(), "patchvolume_001"),
    "missing-archive": (shutil.rmtree, "missing-archive"),
}


@dataclass
class Ran:
    """One run over a structure a fault, each of an archive of its own, and a faultless one."""

    results: Path
    said: str
    ended_well: bool


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("bad-input")
    root = folder / "selma3d"
    for part in ("config", "workflow", "profiles"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", root)
    names, spoil = [*FAULTS, "faultless"], {name: fault for name, (fault, _) in FAULTS.items()}
    for name in names:
        for number in range(2):
            grey = np.random.default_rng(number).integers(0, 4000, (24, 20, 6)).astype(np.uint16)
            write(folder / name / f"raw/patchvolume_00{number}_0000.nii.gz", grey)
            write(folder / name / f"gt/patchvolume_00{number}.nii.gz", (grey > 3500).astype("u1"))
        spoil.get(name, lambda folder: None)(folder / name)
    edition = {
        "edition": "spoilt",
        "archives": {n: {"kind": "local", "folder": str(folder / n)} for n in names},
        "structures": {
            n: {"scored_as": "spot-like", "patches": {"archive": n, "folder": "."}} for n in names
        },
    }
    (root / "config/editions/spoilt.yaml").write_text(yaml.safe_dump(edition))
    head = "structure\tkind\tsample\tspecimen\trole\tarchive\timage\tmask\n"
    (root / "config/samples/spoilt.tsv").write_text(head)
    settings = {"edition": "spoilt", "test_cases": "held-out", "methods": ["threshold"]}
    (folder / "spoilt.yaml").write_text(yaml.safe_dump(settings))
    workflow = Workflow(folder, root, layers=("../spoilt.yaml",))
    targets = [f"results/data/{name}/patches.h5" for name in names]
    process = workflow.run(*targets, "--keep-going")
    return Ran(workflow.results, process.stdout + process.stderr, process.returncode == 0)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_in_one_line(ran: Ran, fault: str) -> None:
    errors = [line for line in ran.said.splitlines() if re.search(r"\d error: ", line)]
    own = [line for line in errors if f"/{fault}" in line]
    assert len(own) == 1, ran.said[-3000:]
    assert re.search(FAULTS[fault][1], own[0]), own[0]
    assert len(errors) == len(FAULTS)
    assert "Traceback" not in ran.said
    assert not ran.ended_well


def test_faults_leave_nothing_half_made_beside_what_is_faultless(ran: Ran) -> None:
    assert [*ran.results.glob("data/**/*.h5")] == [ran.results / "data/faultless/patches.h5"]
    assert not list(ran.results.glob("data/**/*.partial*"))
