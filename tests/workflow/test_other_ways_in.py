"""Classical filters, a program with the platform's interface, and an ensemble in one challenge."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - how the masks are compressed
import numpy as np
import pandas as pd
import pytest
import yaml

from tiny_challenge import Workflow, method_file

PROGRAM = """
import pathlib, sys, SimpleITK
given, asked = map(pathlib.Path, sys.argv[1:])
(path,) = (given / "images/3d-brain-microscopy").iterdir()
mask = SimpleITK.OtsuThreshold(SimpleITK.ReadImage(str(path)), 0, 1)
SimpleITK.WriteImage(mask, str(asked / "images/brain-structure" / "output.mha"))
"""
SUBMISSION = method_file(
    "A team's container",
    "submission",
    "Otsu's threshold in a program that knows the platform's folders and nothing else.",
    "vessel-like",
    "spot-like",
    learns=None,
    name="team",
    settings={
        "command": [sys.executable, "{here}/program.py", "{input}", "{output}"],
        "minutes": 2,
    },
)
MEMBERS = [{"method": "unet", "init": "masked"}, {"method": "threshold"}, {"method": "classical"}]
SMALL = {
    "classical": {
        "spot-like": {"sigma": [1.0], "width": [9], "factor": [1.0, 2.0], "min_voxels": [8]},
        "vessel-like": {"sigmas": [[1.0]], "high": [97], "low": [90], "min_voxels": [30]},
    },
    "ensemble": {"members": MEMBERS},
}


@pytest.fixture(scope="module")
def joined(finished: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The finished challenge with three methods more."""
    folder = tmp_path_factory.mktemp("joined")
    shutil.copytree(finished.folder, folder, symlinks=True, dirs_exist_ok=True)
    own = tmp_path_factory.mktemp("methods")
    (own / "team.yaml").write_text(yaml.safe_dump(SUBMISSION))
    (own / "program.py").write_text(PROGRAM)
    workflow = Workflow(folder, finished.root)
    shown = [f"results/figures/per-type/{name}.svg" for name in ("overview", "forest")]
    ran = workflow.run(
        *("results/tables/per-type/standings.md", "results/gallery.html", *shown),
        methods=["unet", "threshold", "classical", "team", "ensemble"],
        method_folders=[str(own)],
        recipe_overrides=SMALL | tiny_recipe(),
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert "rule finetune" not in ran.stdout + ran.stderr
    return workflow


def tiny_recipe() -> dict:
    """The recipe as the finished challenge has it: a given mapping is laid over, key by key."""
    return yaml.safe_load((Path(__file__).parent / "tiny.yaml").read_text())["recipe_overrides"]


def test_each_way_in_ends_in_a_row_with_scores_and_cost(joined: Workflow):
    table = pd.read_csv(joined.results / "tables/per-type/standings.tsv", sep="\t")
    entrants = set(map(tuple, table[["method", "init"]].to_numpy()))
    assert {("classical", "default"), ("team", "default"), ("ensemble", "mixed")} <= entrants
    assert (table["cpu_hours"] > 0).all()
    assert table.filter(like="dice ").notna().all(axis=None)


def test_an_ensemble_is_where_most_of_its_members_are(joined: Workflow):
    runs = ("unet/cfos/masked-nall-f0-s0", "threshold/cfos/default", "classical/cfos/default")
    with h5py.File(joined.results / "predictions/ensemble/cfos/mixed-nall-f0-s0.h5") as found:
        for case in found:
            votes = 0
            for run in runs:
                with h5py.File(joined.results / f"predictions/{run}.h5") as member:
                    votes = votes + member[case]["mask"][()].astype(int)
            assert np.array_equal(found[case]["mask"][()], votes >= 2)


def test_an_ensemble_of_others_is_no_pretext_whose_gain_is_shown(joined: Workflow):
    gains = pd.read_csv(joined.results / "ranking/per-type/gains.tsv", sep="\t")
    assert set(gains["method"]) == {"unet"}
    assert "mixed" not in (joined.results / "figures/per-type/forest.svg").read_text()


def test_all_of_them_have_cards(joined: Workflow):
    page = (joined.results / "gallery.html").read_text()
    for method in ("classical", "team", "ensemble"):
        card = page.partition(f'<article class="card" id="{method}"')[2].partition("</article>")[0]
        assert re.search("data:image/(webp|png);base64,", card)
