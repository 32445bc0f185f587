"""Whole volumes, containers and ensembles by the workflow's own rules, on the tiny challenge."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK
import tifffile
import zarr

from selma3d.images import PatchFile, PredictionFile, SegmentationFile
from selma3d.inference import WindowSettings, load_model, segment_volume
from stand_in_brainreg import ATLAS, ORIENTATION, REGIONS, stand_in_brainreg
from tiny_challenge import Workflow

SEGMENT = {"slabs": 3, "block": 64, "overlap": 0.25, "probability": True, "skip_air": False}
FOLDER = "results/segmentations/unet/cfos"


@pytest.fixture(scope="module")
def challenge(finished: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A copy of the finished challenge that the tests of this module add to."""
    folder = tmp_path_factory.mktemp("inference") / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Workflow(folder)


def test_slabs_of_several_jobs_join_to_the_mask_of_one_and_a_finished_slab_stays(
    challenge: Workflow, tmp_path: Path
) -> None:
    targets = [
        f"{FOLDER}/sample1.html",
        f"{FOLDER}/export/sample1.mha",
    ]
    first = challenge.run(f"{FOLDER}/sample1.slabs/1.h5", "--notemp", segment=SEGMENT)
    assert first.returncode == 0, first.stderr[-3000:]
    ran = challenge.run(*targets, segment=SEGMENT)
    assert ran.returncode == 0, ran.stderr[-3000:]
    folder = challenge.folder / FOLDER
    logs = challenge.results / "logs" / "segment_slab" / "unet" / "cfos" / "sample1"
    assert sorted(log.name for log in logs.glob("*.log")) == ["0.log", "1.log", "2.log"]
    assert (logs / "1.log").read_text().count(" to do") == 1, "slab 1 was computed twice"
    assert not (folder / "sample1.slabs").exists()

    model = challenge.results / "models/unet/spot-like/masked-nall-f0-s0.pt"
    settings = WindowSettings(**{key: value for key, value in SEGMENT.items() if key != "slabs"})
    alone = tmp_path / "alone.h5"
    segment_volume(
        load_model(model, threads=1),
        challenge.results / "data/cfos/volumes/sample1.h5",
        alone, work=tmp_path / "work", structure="cfos", settings=settings,
    )  # fmt: skip
    with SegmentationFile(folder / "sample1.h5") as found, SegmentationFile(alone) as expected:
        mask, voxel_size_um = found.mask[()], found.voxel_size_um
        differing = mask != expected.mask[()]
        np.testing.assert_allclose(found.probability[()], expected.probability[()], atol=1e-3)
    assert differing.sum() <= 2  # voxels within 1e-5 of the threshold
    assert 0 < mask.mean() < 1

    objects = pd.read_csv(folder / "sample1.objects.tsv", sep="\t")
    assert objects["voxels"].sum() == mask.sum()
    labels = zarr.open_group(folder / "export/sample1.labels.ome.zarr", mode="r")["0"][:]
    assert np.unique(labels[mask > 0]).tolist() == objects["id"].tolist()
    assert "<h1>sample1: cfos</h1>" in (folder / "sample1.html").read_text()
    level = zarr.open_group(folder / "export/sample1.ome.zarr", mode="r")["0"][:]
    np.testing.assert_array_equal(level, mask)
    image = SimpleITK.ReadImage(str(folder / "export/sample1.mha"))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), mask)
    assert image.GetSpacing() == pytest.approx([size / 1000 for size in reversed(voxel_size_um)])


def test_a_brain_is_registered_where_that_is_asked_for_and_counted_by_region(
    challenge: Workflow,
) -> None:
    target = f"{FOLDER}/sample1.regions.tsv"
    environment = stand_in_brainreg(challenge.folder / "environment of brainreg")
    asked = {
        "segment": SEGMENT
        | {"regions": {"registration": {"atlas": ATLAS, "orientation": ORIENTATION}}},
        "environments": {"existing": {"brainreg": str(environment)}},
    }
    ran = challenge.run(target, **asked)
    assert ran.returncode == 0, ran.stderr[-3000:]
    table = pd.read_csv(challenge.folder / target, sep="\t")
    objects = pd.read_csv(challenge.folder / FOLDER / "sample1.objects.tsv", sep="\t")
    depth, width = 136, 64
    with SegmentationFile(challenge.folder / FOLDER / "sample1.h5") as file:
        assert (file.shape[0], file.shape[2]) == (depth, width)
    # The stand-in lays a region over each third of the planes, a hemisphere over each half of x.
    # By the atlas's voxels: 54 along z, 13 along x.
    third = ((objects["z"] + 0.5) * 54 // depth * 3 // 54).astype(int)
    right = (objects["x"] + 0.5) * 13 // width >= 13 // 2
    for place, region in enumerate(REGIONS):
        for hemisphere, side in (("left", ~right), ("right", right)):
            row = table[(table["region"] == region) & (table["hemisphere"] == hemisphere)]
            assert row["objects"].tolist() == [int(((third == place) & side).sum())]
            assert row["name"].tolist() == [REGIONS[region]]
    assert table.set_index(["region", "hemisphere"])["objects"][997, "both"] == len(objects)
    asked["segment"]["regions"]["registration"]["geometry"] = "hemisphere_l"
    assert challenge.planned(target, **asked) == {"register": 1, "objects": 1}
    assert challenge.planned(target, segment=SEGMENT) == {"objects": 1}  # not asked for


@pytest.mark.parametrize("suffix", [".mha", ".tiff"])
def test_a_packed_container_gives_the_workflows_own_prediction(
    challenge: Workflow, tmp_path: Path, suffix: str
) -> None:
    packed = challenge.run("results/containers/unet/cfos")
    assert packed.returncode == 0, packed.stderr[-3000:]
    with PatchFile(challenge.results / "data/cfos/cases.h5") as cases:
        case = cases.ids[0]
        image = cases.image(case, 0)
    folder = tmp_path / "input/images/3d-brain-microscopy"
    folder.mkdir(parents=True)
    if suffix == ".mha":
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(image), str(folder / "case.mha"))
    else:
        tifffile.imwrite(folder / "case.tiff", image, metadata={"axes": "ZYX"})
    context = challenge.results / "containers/unet/cfos"
    environment = os.environ | {
        "SELMA3D_INPUT": str(tmp_path / "input"),
        "SELMA3D_OUTPUT": str(tmp_path / "output"),
        "PYTHONPATH": str(context),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "selma3d.export.container_entry", str(context)]
    ran = subprocess.run(
        command, cwd=context, env=environment, capture_output=True, text=True, timeout=600
    )
    assert ran.returncode == 0, ran.stderr
    written = tmp_path / "output/images/brain-structure/output.mha"
    mask = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(written)))
    predictions = challenge.results / "predictions/unet/cfos/masked-nall-f0-s0.h5"
    with PredictionFile(predictions) as predicted:
        np.testing.assert_array_equal(mask, predicted.mask(case))


def test_an_ensemble_over_seeds_is_scored_and_ranked_beside_its_members(
    challenge: Workflow,
) -> None:
    asked = {
        "methods": ["unet"],
        "inits": ["scratch"],
        "seeds": [0, 1],
        "predict": {"ensemble": True},
    }
    board, cost = (f"results/ranking/per-type/{name}.tsv" for name in ("leaderboard", "cost"))
    ran = challenge.run(board, cost, **asked)
    assert ran.returncode == 0, ran.stderr[-3000:]
    run = challenge.results / "predictions/unet/cfos/scratch-nall-ens"
    with PredictionFile(run.with_suffix(".h5")) as found:
        table = pd.read_csv(run.with_suffix(".tsv"), sep="\t", dtype={"case": str})
        assert list(table["case"]) == found.ids
        for case, disputed in zip(table["case"], table["disputed"], strict=True):
            assert np.count_nonzero(found.disagreement(case)) == disputed
    assert (table["members"] == 2).all()
    scores = pd.read_csv(challenge.results / "scores/unet/cfos.tsv", sep="\t")
    runs = scores[["init", "seed"]].drop_duplicates().itertuples(index=False, name=None)
    assert set(runs) == {("scratch", 0), ("scratch", 1), ("scratch-ens", 0)}
    ranked = pd.read_csv(challenge.folder / board, sep="\t").set_index("init")
    assert set(ranked.index) == {"scratch", "scratch-ens"}
    assert "one ensemble" in ranked.loc["scratch-ens", "note"]
    cost = pd.read_csv(challenge.folder / cost, sep="\t")
    trained = cost[cost["stage"] == "finetune"].set_index("init")["jobs"]
    assert trained["scratch-ens"] == trained["scratch"] == 4
