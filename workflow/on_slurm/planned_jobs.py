"""Kinds of jobs that a configuration plans: what they ask for, and how many there are."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from selma3d.system.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
# What runs beside Snakemake itself (`localrules`) and is not submitted.
LOCAL = {"all", "download", "environment", "list_archive"}
LOCAL |= {"figures", "panels", "histories", "tables", "gallery", "report", "paper"}
SITE = ("slurm_partition", "slurm_account", "qos", "constraint", "gres")


@dataclass(frozen=True, order=True)
class Request:
    """What a job asks SLURM for: memory in MB, time in minutes."""

    gpus: int
    threads: int
    mem_mb: int
    minutes: int
    gpu_model: str = ""
    site: tuple[tuple[str, str], ...] = ()  # what a site asks for besides, by the resource's name


@dataclass(frozen=True)
class JobKind:
    """Jobs that ask for the same: how many of each rule."""

    request: Request
    rules: tuple[tuple[str, int], ...]

    @property
    def jobs(self) -> int:
        """Number of its jobs."""
        return sum(number for _, number in self.rules)


def planned_kinds(arguments: list[str]) -> list[JobKind]:
    """Kinds of jobs of `snakemake -n <arguments>`, those with most GPUs first.

    Raises InputError where Snakemake cannot plan.
    """
    paths = [ROOT / "workflow" / "logger", ROOT / "workflow" / "scripts"]
    found = os.environ.get("PYTHONPATH")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*map(str, paths), *([found] if found else [])])
    }
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder, "plan.jsonl")
        logger = ["--logger", "selma3d-plan", "--logger-selma3d-plan-file", str(plan)]
        command = [sys.executable, "-m", "snakemake", "-n", "--cores", "4096", *logger, *arguments]
        ran = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise InputError(f"snakemake -n: {_reason(ran.stdout + ran.stderr)}")
        return _kinds(plan)


def _reason(said: str) -> str:
    """What Snakemake gives as the reason of an error, without the places in rule files."""
    lines = [line.strip() for line in said.splitlines()]
    began = next((n for n, line in enumerate(lines) if "Error" in line), max(0, len(lines) - 1))
    told = [line for line in lines[began + 1 :] if line and not line.startswith("File ")]
    return " ".join(told) or lines[began]


def _kinds(plan: Path) -> list[JobKind]:
    """Kinds of the jobs in a file of the logger plugin that are submitted."""
    rules: defaultdict[Request, Counter[str]] = defaultdict(Counter)
    with plan.open() as lines:
        for job in map(json.loads, lines):
            asked = job["resources"]
            if job["rule"] in LOCAL:
                continue
            request = Request(
                int(asked.get("gpu", 0)),
                job["threads"],
                int(asked.get("mem_mb", 0)),
                int(asked["runtime"]),
                str(asked.get("gpu_model", "")),
                tuple((name, str(asked[name])) for name in SITE if name in asked),
            )
            rules[request][job["rule"]] += 1
    return [
        JobKind(request, tuple(sorted(counted.items())))
        for request, counted in sorted(rules.items(), reverse=True)
    ]
