"""What the shipped configurations and profiles plan, without any data present."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import yaml


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


def test_the_full_challenge_is_planned_without_data_in_fewer_than_5000_jobs(repository, nowhere):
    ran = snakemake(repository, "-n", "--config", nowhere)
    assert ran.returncode == 0, ran.stderr[-3000:]
    total = int(re.search(r"^total\s+(\d+)", ran.stdout, re.M).group(1))
    assert 100 < total < 5000


def test_planning_imports_no_library_that_only_jobs_need(repository, nowhere, monkeypatch):
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    ran = snakemake(
        repository, "-n", "--quiet", "--configfile", "config/demo.yaml", "--config", nowhere
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    imported = set(re.findall(r"^import time:.*\|\s+(\w+)$", ran.stderr, re.M))
    assert "pandas" in imported
    assert imported.isdisjoint({"torch", "monai", "scipy", "matplotlib", "h5py", "SimpleITK"})


def test_the_slurm_profile_is_found_by_its_name_from_the_root(repository, nowhere):
    ran = snakemake(repository, "--profile", "slurm", "-n", "--config", nowhere)
    assert ran.returncode == 0, ran.stderr[-3000:]


def test_both_tracks_are_planned_beside_each_other(repository, nowhere, tmp_path):
    both = tmp_path / "both.yaml"
    both.write_text(yaml.safe_dump({"tracks": ["per-type", "one-model"]}))
    ran = snakemake(repository, "-n", "--configfile", str(both), "--config", nowhere)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert re.search(r"^predict_all\s+\d+", ran.stdout, re.M)
    assert re.search(r"^rank\s+2", ran.stdout, re.M)


def test_a_misspelt_key_stops_the_workflow_with_one_line(repository):
    ran = snakemake(repository, "-n", "--config", "sizee=small")
    assert ran.returncode != 0
    assert "config: sizee: unknown key, did you mean 'size'?" in ran.stdout + ran.stderr


def test_a_run_that_needs_an_unknown_source_says_so_by_name(repository, tmp_path):
    target = f"{tmp_path}/results/archive/unannotated/receipt.tsv"
    ran = snakemake(repository, "--cores", "1", target, "--config", f"results={tmp_path}/results")
    assert ran.returncode != 0
    assert "archives.unannotated: expected a source, found an empty slot" in ran.stderr
    assert "handed out on the challenge's site" in ran.stderr


def test_the_demos_samples_are_those_that_its_phantom_draws(repository, tmp_path):
    from selma3d.archive.phantom.archive import SAMPLE_COLUMNS
    from selma3d.archive.phantom.specification import read_spec

    edition = yaml.safe_load((repository / "config/editions/demo.yaml").read_text())
    spec = edition["archives"]["phantom"]["phantom"]
    table = (repository / "config/samples/demo.tsv").read_text().splitlines()
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


@pytest.mark.parametrize(("target", "plans"), [("methods", 2), ("real", 1)])
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
