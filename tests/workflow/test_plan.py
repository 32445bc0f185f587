"""Plans of the shipped configurations and profiles, and of a challenge that grows on each axis."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import yaml

from growing_challenge import METHODS, STRUCTURES, GrowingChallenge


def snakemake(repository, *arguments):
    """Run Snakemake in the repository's root, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=repository,
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"},  # noqa: PTH120
        timeout=300,
    )


@pytest.fixture
def nowhere(tmp_path):
    """A results root in which nothing is finished."""
    return f"results={tmp_path / 'results'}"


def test_the_default_is_planned_on_slurm_as_typed_in_a_clone_with_no_library_that_only_jobs_need(
    repository, nowhere, monkeypatch
):
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    ran = snakemake(repository, "--profile", "slurm", "-n", "--config", nowhere)  # from the root
    assert ran.returncode == 0, ran.stderr[-3000:]
    total = int(re.search(r"^total\s+(\d+)", ran.stdout, re.M).group(1))
    assert 100 < total < 5000
    imported = set(re.findall(r"^import time:.*\|\s+(\w+)$", ran.stderr, re.M))
    assert "pandas" in imported
    heavy = {"torch", "monai", "scipy", "skimage", "matplotlib", "h5py", "SimpleITK"}
    assert imported.isdisjoint(heavy)  # each job reads the rules, too


def test_both_tracks_are_planned_beside_each_other(repository, nowhere, tmp_path):
    both = tmp_path / "both.yaml"
    both.write_text(yaml.safe_dump({"tracks": ["per-type", "one-model"]}))
    configs = ("config/demo.yaml", str(both))
    ran = snakemake(repository, "-n", "--configfile", *configs, "--config", nowhere)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert re.search(r"^predict_all\s+\d+", ran.stdout, re.M)
    assert re.search(r"^rank\s+2", ran.stdout, re.M)


def test_a_misspelt_key_stops_the_workflow_with_one_line(repository):
    ran = snakemake(repository, "-n", "--config", "sizee=small")
    assert ran.returncode != 0
    assert "config: sizee: unknown key, did you mean 'size'?" in ran.stdout + ran.stderr


def test_a_run_that_needs_an_unknown_source_says_so_by_name(repository, tmp_path):
    target = f"{tmp_path}/results/archive/unannotated/receipt.tsv"
    settings = ("edition=selma2024", f"results={tmp_path}/results")
    ran = snakemake(repository, "--cores", "1", target, "--config", *settings)
    assert ran.returncode != 0
    assert "archives.unannotated: expected a source, found an empty slot" in ran.stderr
    assert "handed out on the challenge's site" in ran.stderr


@pytest.mark.parametrize("name", ["demo", "controls"])
def test_samples_are_those_that_the_editions_phantom_draws(repository, name):
    from selma3d.archive.phantom.archive import SAMPLE_COLUMNS
    from selma3d.archive.phantom.specification import read_spec

    edition = yaml.safe_load((repository / f"config/editions/{name}.yaml").read_text())
    spec = edition["archives"]["phantom"]["phantom"]
    table = (repository / f"config/samples/{name}.tsv").read_text().splitlines()
    assert table[0].split("\t") == SAMPLE_COLUMNS
    rows = [line.split("\t") for line in table[1:]]
    for structure in read_spec(spec):
        counts = {
            kind: sum(row[:2] == [structure.name, kind] for row in rows)
            for kind in ("patch", "case", "volume")
        }
        assert (
            counts["patch"]
            == structure.training.specimens * structure.training.patches_per_specimen
        )
        assert counts["case"] == structure.test.specimens * structure.test.patches_per_specimen
        assert counts["volume"] == structure.volumes


@pytest.mark.parametrize(("target", "plans"), [("methods", 2), ("real", 1), ("transfer", 1)])
def test_make_plans_all_that_a_target_runs_on_a_folder_of_real_images(
    repository, tmp_path, target, plans
):
    dry = f"{sys.executable} -m snakemake -n --quiet all"
    told = subprocess.run(
        ["make", "--dry-run", target, f"DATA={tmp_path}", f"RUN={dry}"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    commands = [line for line in told.stdout.splitlines() if line.startswith(dry)]
    assert len(commands) == plans
    for command in commands:
        ran = subprocess.run(
            ["bash", "-c", command], cwd=repository, capture_output=True, text=True, timeout=300
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"folder: '{tmp_path}'" in commands[-1]


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A challenge of several methods, finished in name; a test leaves its edition as it was."""
    return GrowingChallenge.finished(tmp_path_factory.mktemp("grown"))


def trained(files):
    return [file for file in files if file.startswith(("encoders/", "models/"))]


def test_a_finished_challenge_plans_nothing(grown):
    assert grown.planned_files() == ([], [])


def test_another_seed_plans_its_own_encoders_models_and_predictions_and_no_other(grown):
    new, again = grown.planned_files(seeds=[0, 1])
    assert again == []
    assert all("-s1" in file for file in new)
    assert "encoders/unet/vessel-like/masked-s1.pt" in new
    assert "models/unet/spot-like/masked-nall-f0-s1.pt" in new
    assert "models/nnunet/spot-like/scratch-nall-f0-s1.zip" in new
    assert "predictions/segresnet/cfos/scratch-nall-f0-s1.h5" in new


def test_another_budget_plans_its_own_models_and_no_encoder(grown):
    new, again = grown.planned_files(budgets=[1, "all"])
    assert again == []
    assert all("-n1-f0-s0" in file for file in new)
    assert "models/unet/vessel-like/masked-n1-f0-s0.pt" in new


def test_another_fold_plans_its_own_models_and_leaves_splits_and_encoders(grown):
    new, again = grown.planned_files(folds=2)
    assert again == []
    assert all("-f1-s0" in file for file in new)
    assert "models/unet/vessel-like/masked-nall-f1-s0.pt" in new
    assert "models/nnunet/vessel-like/scratch-nall-f1-s0.zip" in new


def test_another_method_plans_itself_alone(grown):
    new, again = grown.planned_files(methods=[*METHODS, "dynunet"])
    assert again == []
    assert trained(new)
    assert all("/dynunet/" in file for file in new)


def test_another_case_is_converted_predicted_and_scored_and_trains_nothing(grown):
    grown.write_cases(6, "vessel")
    try:
        new, again = grown.planned_files()
    finally:
        grown.write_cases(5, "vessel")
    assert new == trained(again) == []
    assert {"data/vessel/cases.h5", "predictions/unet/vessel/masked-nall-f0-s0.h5"} <= set(again)
    assert all("vessel" in file for file in again)
    assert all(
        file.startswith(("data/", "references/", "predictions/", "checks/")) for file in again
    )


def test_a_structure_that_is_only_segmented_trains_nothing_and_leaves_other_targets(grown):
    grown.write_edition([*STRUCTURES, "microglia"])
    grown.write_cases(5, "vessel")
    try:
        new, again = grown.planned_files()
    finally:
        grown.write_edition(STRUCTURES)
        grown.write_cases(5, "vessel")
    assert trained([*new, *again]) == []
    assert "predictions/unet/microglia/masked-nall-f0-s0.h5" in new
    # A model segments all structures of its target in one job: c-Fos with microglia.
    assert all("/cfos/" in file for file in again)


def test_a_structure_that_is_learnt_trains_the_targets_that_learn_from_it_and_no_others(grown):
    grown.write_edition(STRUCTURES, learnt_too="nuclei")
    grown.write_cases(5, "vessel")
    try:
        new, again = grown.planned_files()
    finally:
        grown.write_edition(STRUCTURES)
        grown.write_cases(5, "vessel")
    assert "splits/nuclei.tsv" in new
    assert "models/unet/spot-like/masked-nall-f0-s0.pt" in again
    assert not [file for file in again if "vessel" in file]
