"""Bad input ends a run with one clear line that names the file, and leaves nothing half-made."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tiny_challenge import Workflow

CELLS = "SELMA3D_training_annotated/cFos-Active_Neurons"
IMAGE = f"{CELLS}/raw/patchvolume_001_0000.nii.gz"
MASK = f"{CELLS}/gt/patchvolume_001.nii.gz"


@pytest.fixture
def archive(finished: Workflow, tmp_path: Path) -> Path:
    """The annotated cells of the phantom archive as a local folder, to spoil."""
    drawn = finished.results / "phantom" / "phantom"
    shutil.copytree(drawn / CELLS, tmp_path / "archive" / CELLS)
    return tmp_path / "archive"


def rewrite(path: Path, change) -> None:
    """Replace the voxels of a NIfTI file."""
    image = nibabel.load(path)
    voxels = change(np.asanyarray(image.dataobj).copy())
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), path)


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


FAULTS = {
    "truncated": (lambda a: truncate(a / IMAGE), "patchvolume_001_0000.nii.gz"),
    "mask of another shape": (
        lambda a: rewrite(a / MASK, lambda mask: mask[:-1]),
        r"patchvolume_001.nii.gz: expected shape \(Z,Y,X\)",
    ),
    "2D": (
        lambda a: rewrite(a / IMAGE, lambda image: np.squeeze(image)[..., 0]),
        "patchvolume_001_0000.nii.gz: expected",
    ),
    "NaN": (
        lambda a: rewrite(a / IMAGE, lambda image: image.astype(np.float32) * np.nan),
        "patchvolume_001_0000.nii.gz: expected",
    ),
    "empty mask": (
        lambda a: rewrite(a / MASK, lambda mask: mask * 0),
        "patchvolume_001.nii.gz: expected some foreground, found an empty mask",
    ),
    "missing mask": (lambda a: (a / MASK).unlink(), "patchvolume_001"),
    "missing archive": (shutil.rmtree, "archive"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_in_one_line_and_leaves_nothing_half_made(fault, archive, tmp_path):
    spoil, message = FAULTS[fault]
    spoil(archive)
    workflow = Workflow(tmp_path)
    ran = workflow.run(
        "results/data/cfos/patches.h5",
        archives={"phantom": {"kind": "local", "folder": str(archive)}},
    )
    assert ran.returncode != 0
    errors = [line for line in ran.stderr.splitlines() if re.search(r"\d error: ", line)]
    assert len(errors) == 1, ran.stderr[-3000:]
    assert re.search(message, errors[0]), errors[0]
    assert "Traceback" not in ran.stderr
    assert not list(tmp_path.glob("results/data/**/*.h5"))
    assert not list(tmp_path.glob("results/data/**/*.partial*"))
