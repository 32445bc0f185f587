"""The editions of 2025 and 2026, run from images to report on phantoms of their structures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml

from selma3d.archive.phantom import write_archive
from tiny_challenge import ROOT, Workflow

pytestmark = pytest.mark.editions

# Structures that phantoms have a form of their own for.
KIND = {
    "plaque": "plaque",
    "nucleus": "nucleus",
    "microglia": "microglia",
}
OTHERS = {"spot-like": "cell", "vessel-like": "vessel"}  # by how they are scored
TINY = {
    "size": "small",
    "methods": ["unet", "threshold"],
    "budgets": ["all"],
    "seeds": [0],
    "predict": {"overlap": 0.25},
    "ranking": {"bootstrap": 50},
    "resources": {"gpu": 0, "training_threads": 1, "training_mem_mb": 2000},
    "recipe_overrides": {
        "unet": {
            "network": {"channels": [4, 8], "strides": [2]},
            "input": {"window": [16, 16, 16]},
            "pretexts": {"masked": {"steps": 4}},
            "finetune": {"steps": 4, "validations": 1},
        }
    },
}


def drawn(folder: Path, edition: dict) -> None:
    """Images of every structure of an edition, laid out as the phantom archive is."""
    cases = edition["phases"]["final"]["cases"]
    structures = {
        name: {
            "kind": KIND.get(name, OTHERS[spec["scored_as"]]),
            "folder": Path(spec["patches"]["folder"]).name if "patches" in spec else name,
            "patch_shape": [16, 32, 32],
            "volume_shape": [32, 32, 32],
            "voxel_size_um": [4.0, 2.0, 2.0],
            **({"training": {"specimens": 3, "patches_per_specimen": 2}} if spec["seen"] else {}),
            **({"test": {"specimens": 2, "patches_per_specimen": 1}} if name in cases else {}),
            "volumes": 1,
        }
        for name, spec in edition["structures"].items()
    }
    write_archive(folder, {"structures": structures}, seed=7)
    for volume in folder.glob("selma3d_unannotated/*/sample*"):
        volume.rename(volume.with_name("sample1"))  # as the editions' tables of samples call them
    (folder / "selma3d_test").rename(folder / "final")


def patches_of(unannotated: Path) -> None:
    """Each volume as a patch, in a folder that is named after it, as 2026 has them."""
    for planes in list(unannotated.glob("*/sample1/C00")):
        stack = np.stack([tifffile.imread(plane) for plane in sorted(planes.glob("*.tif"))])
        shutil.rmtree(planes)
        tifffile.imwrite(planes.parent / "000.tif", stack)


def challenge(folder: Path, name: str, archives: dict[str, str]) -> Workflow:
    """An edition, run on phantoms; archives: the folder that each is read from."""
    edition = yaml.safe_load((ROOT / "config" / "editions" / f"{name}.yaml").read_text())
    images = folder / "images"
    drawn(images, edition)
    if name == "selma2026":
        patches_of(images / "selma3d_unannotated")
    workflow = Workflow(folder, layers=(f"config/{name}.yaml",))
    sources = {a: {"kind": "local", "folder": str(images / f)} for a, f in archives.items()}
    if "S-BIAD1196" in sources:
        sources["S-BIAD1196"]["manifest"] = str(manifest(images))
    ran = workflow.run(**TINY, archives=sources)
    assert ran.returncode == 0, ran.stderr[-4000:]
    return workflow


def manifest(images: Path) -> Path:
    """Of the annotated patches alone."""
    files = pd.read_csv(images / "manifest.tsv", sep="\t")
    own = files[files["path"].str.startswith("SELMA3D_training_annotated/")]
    own.to_csv(images / "annotated.tsv", sep="\t", index=False)
    return images / "annotated.tsv"


def check(workflow: Workflow, edition: str, groups: set[str], metrics: set[str]) -> None:
    board = pd.read_csv(workflow.results / "ranking/per-type/leaderboard.tsv", sep="\t")
    assert set(board["method"]) == {"unet", "threshold"}
    assert {c.removeprefix("rank ") for c in board if c.startswith("rank ")} == groups
    assert (board["missing"] == 0).all()
    means = pd.read_csv(workflow.results / "ranking/per-type/by_metric.tsv", sep="\t")
    assert metrics <= set(means["metric"])
    assert edition in (workflow.results / "report.html").read_text()


def leaderboards(workflow: Workflow) -> dict[str, set[str]]:
    """The entrants of each further leaderboard."""
    rows = pd.read_csv(workflow.results / "ranking/per-type/further_leaderboards.tsv", sep="\t")
    entrants = rows["method"] + " " + rows["init"]
    return {name: set(own) for name, own in entrants.groupby(rows["leaderboard"], sort=False)}


def test_2025_runs_on_a_held_out_split_and_ranks_its_two_tasks(tmp_path):
    workflow = challenge(
        tmp_path, "selma2025", {"S-BIAD1196": ".", "unannotated": "selma3d_unannotated"}
    )
    check(workflow, "SELMA3D 2025", {"isolated", "contiguous"}, {"hausdorff95", "betti0_error"})
    page = (workflow.results / "report.html").read_text()
    assert "held-out split" in page
    further = leaderboards(workflow)
    for task in ("isolated", "contiguous"):
        assert further[f"{task}-with"] == {"unet masked"}
        assert further[f"{task}-without"] == {"unet scratch", "threshold default"}
        assert f"{task.capitalize()} structures, with self-supervised learning: " in page
        assert f'<caption id="leaderboard-{task}-without-per-type">' in page


def test_2026_runs_on_its_ten_structures_and_ranks_their_four_groups(tmp_path):
    workflow = challenge(
        tmp_path,
        "selma2026",
        {
            "annotated": "SELMA3D_training_annotated",
            "unannotated": "selma3d_unannotated",
            "hidden-cases": ".",
        },
    )
    groups = {
        f"{density}-{form}"
        for density in ("dense", "sparse")
        for form in ("isolated", "contiguous")
    }
    check(workflow, "SELMA3D 2026", groups, {"panoptic_quality", "cldice", "dice"})
    further = leaderboards(workflow)
    assert list(further) == ["task-1", "task-2", "types-first", "pooled"]
    assert set(map(frozenset, further.values())) == {
        frozenset({"unet masked", "unet scratch", "threshold default"})
    }
    learnt = set(workflow.results.glob("data/*/collections/patches.h5"))
    assert len(learnt) == 14
    scored = {path.stem for path in (workflow.results / "scores/unet").iterdir()}
    assert len(scored) == 10
