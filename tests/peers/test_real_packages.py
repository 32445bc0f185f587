"""The packages themselves, installed and run by their rules on tiny phantoms; minutes each."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest

from tiny_challenge import Workflow

pytestmark = pytest.mark.peers
BRIEF = {
    "epochs": 2,
    "iterations": 2,
    "validation_iterations": 1,
    "gpu_memory_gb": 0.1,
    "features": [4, 16],
}


def test_nnunet_is_installed_trained_and_scored_on_its_own_and_other_structures(tmp_path):
    workflow = Workflow(tmp_path)
    ran = workflow.run(
        *("--resources", "mem_mb=16000", "--"),
        *("results/scores/nnunet/cfos.tsv", "results/scores/nnunet/microglia.tsv"),
        methods=["nnunet"],
        recipe_overrides={"nnunet": BRIEF},
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    packages = pd.read_csv(workflow.results / "environments/nnunet.tsv", sep="\t")
    assert {"nnunetv2", "torch"} <= set(packages["package"])
    history = pd.read_csv(
        workflow.results / "models/nnunet/spot-like/scratch-nall-f0-s0.tsv", sep="\t"
    )
    assert {"loss", "validation_dice", "cpu_seconds", "sha256"} <= set(history["name"])
    for structure in ("cfos", "microglia"):
        check_masks(workflow, f"nnunet/{structure}/scratch-nall-f0-s0.h5", structure)


PROGRAMS = {
    "cellpose": {"epochs": 2, "iterations": 2, "planes": 20, "window": 48},
    "wnet3d": {"steps": 3, "windows": {"number": 3, "shape": [16, 16, 16]}},
}


@pytest.mark.parametrize("method", PROGRAMS)
def test_a_package_with_a_program_is_installed_trained_and_scored(tmp_path, method):
    workflow = Workflow(tmp_path)
    ran = workflow.run(
        *("--resources", "mem_mb=16000", "--", f"results/scores/{method}/cfos.tsv"),
        methods=[method],
        recipe_overrides={method: PROGRAMS[method]},
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    packages = pd.read_csv(workflow.results / f"environments/{method}.tsv", sep="\t")
    assert {"cellpose": "cellpose", "wnet3d": "napari-cellseg3d"}[method] in set(
        packages["package"]
    )
    check_masks(workflow, f"{method}/cfos/default.h5", "cfos")


def check_masks(workflow: Workflow, place: str, structure: str) -> None:
    """Every case has a mask of 0 and 1 on its grid."""
    with (
        h5py.File(workflow.results / "predictions" / place) as found,
        h5py.File(workflow.results / f"data/{structure}/cases.h5") as cases,
    ):
        assert set(found) == set(cases)
        for case in cases:
            assert found[case]["mask"].shape == cases[case]["mask"].shape
            assert set(np.unique(found[case]["mask"])) <= {0, 1}
