"""A challenge small enough for tests, run by the real Snakemake."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
CORES = "1" if "PYTEST_XDIST_WORKER" in os.environ else "2"  # the other is the other worker's


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder; what it prints."""
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def method_file(
    title: str, kind: str, idea: str, *structure_types: str, learns: str | None, **further: Any
) -> dict[str, Any]:
    """A method's file of a test, complete but for its name; it needs no GPU and no volumes."""
    capabilities = {"gpu": False, "unannotated": False, "learns": learns}
    own = {"title": title, "kind": kind, "idea": idea, "citation": "none", "licence": "MIT"}
    own |= {
        "colour": "#000000",
        "capabilities": capabilities | {"structure_types": [*structure_types]},
    }
    return own | further


@dataclass
class Workflow:
    """One working folder with its results; commands run in it against a checkout's Snakefile."""

    folder: Path
    root: Path = ROOT
    layers: tuple[str, ...] = ("config/demo.yaml", "tests/workflow/tiny.yaml")
    patience: int = 900  # seconds that a run may take

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def run(self, *arguments: str, **config: object) -> subprocess.CompletedProcess[str]:
        """Run Snakemake; the config is the layers and what is given here."""
        command = [sys.executable, "-m", "snakemake", *self.arguments(*arguments, **config)]
        return subprocess.run(
            command, capture_output=True, text=True, env=ENVIRONMENT, timeout=self.patience
        )

    def run_owned(self, *arguments: str, **config: object) -> subprocess.Popen[str]:
        """Start a run as the make targets do; its process."""
        command = [sys.executable, str(self.root / "workflow" / "run.py")]
        command += self.arguments(*arguments, **config)
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
        )

    def arguments(self, *arguments: str, **config: object) -> list[str]:
        """Snakemake's arguments for a run in this folder."""
        given = self.folder / "given.yaml"
        given.write_text(yaml.safe_dump({"results": "results", **config}))
        layers = [*(self.root / layer for layer in self.layers), given]
        return [
            *("--configfile", *map(str, layers)),
            *("--snakefile", str(self.root / "Snakefile"), "--directory", str(self.folder)),
            *("--cores", CORES, *(arguments or ("--quiet", "rules"))),
        ]

    def planned(self, *arguments: str, **config: object) -> dict[str, int]:
        """Number of jobs a rule that a run would do now."""
        ran = self.run("--dry-run", *arguments, **config)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        jobs = {}
        for line in ran.stdout.partition("Job stats:")[2].partition("\n\n")[0].splitlines():
            match line.split():
                case [rule, count] if count.isdigit() and rule != "total":
                    jobs[rule] = int(count)
        return jobs
