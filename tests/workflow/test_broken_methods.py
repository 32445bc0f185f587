"""Thirteen broken methods give thirteen clear errors, and the others' results stay."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tiny_challenge import Workflow, method_file

METHOD = method_file(
    "Broken",
    "rule",
    "It breaks the contract in one way, to see what is said of it.",
    "spot-like",
    learns="nothing",
    runs="default",
)
RULE = """
rule {rule}_segment:
    input:
        cases=cases_of,
    output:
        predictions="<results>/predictions/{name}/{{structure}}/default.h5",
    log:
        "<logs>/{name}/{{structure}}.log",
    params:
        masks=lambda wildcards: {masks!r},
    script:
        "segment.py"
"""
# Writes as a program without our writer would, or fails after the first case.
SCRIPT = """
import h5py
import numpy as np
from job import running
from selma3d.images import PatchFile

with running(snakemake), PatchFile(snakemake.input.cases) as cases:
    with h5py.File(snakemake.output.predictions, "w") as file:
        file.attrs.update(kind="predictions", contract_version=1)
        for number, case in enumerate(cases.ids):
            image = cases.image(case, 0)
            mask = (image > image.mean()).astype(np.uint8)
            broken = eval(snakemake.params.masks)
            if broken is not None:
                file[f"{case}/mask"] = broken
"""
CASES = "results/data/cfos/cases.h5"
PREDICTIONS = r"results/predictions/{name}/cfos/default.h5: "
AT_WORK = {  # name: (the mask of a case, what is said)
    "missing-case": ("mask if number else None", r"expected masks of 6 cases, found none of 000"),
    "wrong-shape": ("mask[:-1]", r"case 000: expected a mask of shape .* found \(23, 48, 48\)"),
    "probabilities": ("mask * np.float32(0.5)", r"found float32 between 0 and 0.5 \(probabilities"),
    "values-255": ("mask * 255", r"found uint8 0 and 255 \(write mask > 0\)"),
    "swapped-axes": ("mask.T", r"found \(48, 48, 24\) \(its axes are swapped: transpose"),
    "not-finite": ("np.where(mask, np.nan, 0)", r"found float64 with \d+ NaN or infinite voxels"),
    "crash": ("mask if number < 3 else 1 // 0", r"rule crash_segment failed\nTraceback"),
}
BEFORE_WORK = {  # name: what is said
    "no-gpu": r"no-gpu.yaml: capabilities.gpu: true: expected a GPU to run on",
    "no-licence": r"no-licence.yaml: \(top level\): expected the key 'licence'",
    "threshold": r"threshold.yaml: name: expected one that no other method has.* taken by",
    "syntax": r"syntax.smk, line 7: syntax error: ",
    "shared-name": r"shared-name.smk: cases_of: expected a name of the method's own",
    "others-files": r"others-files.smk: rule 'others_files_segment': expected predictions in ",
    "ends-it": r"ends-it.smk: it ends Snakemake when it is read",
}


@dataclass
class Ran:
    """What a run of the challenge with the broken methods said and left."""

    process: subprocess.CompletedProcess[str]
    before: dict[Path, str]
    after: dict[Path, str]

    @property
    def said(self) -> str:
        return self.process.stdout + self.process.stderr


def contents(results: Path) -> dict[Path, str]:
    """Digests of everything that is neither a log nor somebody's work."""
    files = [f for f in results.rglob("*") if f.is_file()]
    kept = [f for f in files if f.relative_to(results).parts[0] not in ("logs", "benchmarks")]
    return {f.relative_to(results): hashlib.sha256(f.read_bytes()).hexdigest() for f in kept}


def write(folder: Path, name: str, masks: str = "mask", **changes: object) -> None:
    method = METHOD | {"name": name} | changes
    content = {key: value for key, value in method.items() if value is not None}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    rule = RULE.format(name=name, rule=name.replace("-", "_"), masks=masks)
    (folder / f"{name}.smk").write_text(rule)


@pytest.fixture(scope="module")
def ran(finished: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    import shutil

    folder = tmp_path_factory.mktemp("broken")
    for name, (masks, _) in AT_WORK.items():
        write(folder, name, masks)
    write(folder, "no-gpu", capabilities=METHOD["capabilities"] | {"gpu": True})
    write(folder, "no-licence", licence=None)
    write(folder, "threshold")
    write(folder, "syntax")
    rules = folder / "syntax.smk"
    rules.write_text(rules.read_text().replace("    log:", "    lgo:"))
    for name, fault in (
        ("shared-name", "def cases_of(wildcards):\n    return []\n"),
        ("ends-it", "import os\nos._exit(3)\n"),
    ):
        write(folder, name)
        rules = folder / f"{name}.smk"
        rules.write_text(fault + rules.read_text())
    write(folder, "others-files")
    rules = folder / "others-files.smk"
    rules.write_text(rules.read_text().replace("predictions/others-files/", "predictions/unet/"))
    (folder / "segment.py").write_text(SCRIPT)
    workflow = Workflow(tmp_path_factory.mktemp("with-broken"))
    shutil.copytree(finished.folder, workflow.folder, symlinks=True, dirs_exist_ok=True)
    before = contents(workflow.results)
    targets = [f"results/scores/{name}/cfos.tsv" for name in (*AT_WORK, "unet")]
    process = workflow.run(*targets, "--keep-going", methods="all", method_folders=[str(folder)])
    return Ran(process, before, contents(workflow.results))


@pytest.mark.parametrize("name", AT_WORK)
def test_a_fault_at_work_is_named_with_its_method(ran: Ran, name: str):
    message = AT_WORK[name][1]
    if name != "crash":
        message = "error: " + PREDICTIONS.format(name=name) + ".*" + message
    assert ran.process.returncode != 0
    assert len(re.findall(message, ran.said)) == 1, ran.said[-3000:]


@pytest.mark.parametrize("name", BEFORE_WORK)
def test_a_fault_in_a_file_leaves_its_method_out_by_name(ran: Ran, name: str):
    said = rf"NOT TAKING PART: {name}: .*{BEFORE_WORK[name]}"
    assert re.search(said, ran.said), ran.said[:3000]


def test_what_the_others_have_made_stays_as_it_was(ran: Ran):
    assert {path: ran.after.get(path) for path in ran.before} == ran.before
    broken = {path for path in ran.after if path not in ran.before}
    assert not any(path.parts[0] == "scores" for path in broken)


def test_a_method_that_breaks_off_leaves_no_predictions(ran: Ran):
    assert Path("predictions/crash/cfos/default.h5") not in ran.after
    assert Path("predictions/not-finite/cfos/default.h5") in ran.after  # to look at, and to remove


def test_a_broken_method_that_the_config_names_stops_the_run_at_once(copy: Workflow, tmp_path):
    write(tmp_path, "no-licence", licence=None)
    ran = copy.run("--dry-run", methods=["unet", "no-licence"], method_folders=[str(tmp_path)])
    assert ran.returncode != 0
    assert "config: methods names 'no-licence'" in ran.stdout + ran.stderr
