"""A challenge small enough for tests, run by the real Snakemake."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


@dataclass
class Workflow:
    """One working folder with its results; commands run in it against this checkout's Snakefile."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def run(self, *arguments: str, **config: object) -> subprocess.CompletedProcess[str]:
        """Run Snakemake; the config is demo.yaml, tiny.yaml and what is given here."""
        given = self.folder / "given.yaml"
        given.write_text(yaml.safe_dump({"results": "results", **config}))
        layers = [ROOT / "config" / "demo.yaml", HERE / "tiny.yaml", given]
        command = [
            *(sys.executable, "-m", "snakemake", "--configfile", *map(str, layers)),
            *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(self.folder)),
            *("--cores", "2", *(arguments or ("--quiet", "rules"))),
        ]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900)

    def planned(self, **config: object) -> dict[str, int]:
        """Number of jobs a rule that a run would do now."""
        ran = self.run("--dry-run", **config)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        jobs = {}
        for line in ran.stdout.partition("Job stats:")[2].partition("\n\n")[0].splitlines():
            match line.split():
                case [rule, count] if count.isdigit() and rule != "total":
                    jobs[rule] = int(count)
        return jobs
