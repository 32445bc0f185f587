"""The workflow is planned for schedulers other than SLURM, through their plugins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PBS = "qsub -l select=1:ncpus={threads}:ngpus={resources.gpu}:mem={resources.mem_mb}mb"


@pytest.mark.parametrize(
    ("plugin", "settings"),
    [
        ("lsf", {"set-resources": {"finetune": {"lsf_extra": "-gpu num=1"}}}),
        ("sge", {"sge-pe": "smp", "set-resources": {"finetune": {"sge_extra": "-l gpu=1"}}}),
        ("cluster-generic", {"cluster-generic-submit-cmd": PBS}),
    ],
)
def test_the_demo_is_planned_for_a_scheduler(
    repository: Path, tmp_path: Path, plugin: str, settings: dict
) -> None:
    defaults = {"mem_mb": 2000, "runtime": 60, "gpu": 0, "attempt": "attempt"}
    profile = {"executor": plugin, "jobs": 200, "default-resources": defaults, **settings}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(profile))
    where = ["--profile", str(tmp_path), "--configfile", "config/demo.yaml"]
    results = ["--config", f"results={tmp_path / 'results'}"]
    ran = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", *where, *results],
        cwd=repository, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "finetune" in ran.stdout + ran.stderr
