"""A challenge that is finished in name: its files exist, empty, as if every job had run."""

from __future__ import annotations

import csv
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tiny_challenge import ROOT, Workflow

METHODS = ["cellpose", "classical", "ensemble", "nnunet", "segresnet", "threshold", "unet"]
STRUCTURES = ["vessel", "cfos"]
GIVEN = {"methods": METHODS, "budgets": ["all"], "seeds": [0]}
# Scores of a method on a structure and what is computed from all scores: anew with each new run.
SUMMARY = re.compile(
    r"(scores|ranking|figures|tables|export)/|gallery|report|checks/[^/]+/[^/]+\.tsv$"
)


@dataclass
class GrowingChallenge(Workflow):
    """A challenge in a repository of its own, whose edition and samples a test may change."""

    structures: list[str] = field(default_factory=list)

    @classmethod
    def finished(cls, folder: Path) -> GrowingChallenge:
        """Copy what plans are made from, and let every file exist."""
        root = folder / "repository"
        for name in ("workflow", "config", "profiles"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Snakefile", root)
        challenge = cls(folder, root, ("config/demo.yaml",))
        challenge.write_edition(STRUCTURES)
        challenge.write_cases(5)
        for path in challenge.outputs():
            if path.suffix in {"", ".zarr"}:  # exported images are folders
                path.mkdir(parents=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        ran = challenge.run("--touch", "--forceall", "--quiet", "all", **GIVEN)
        assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
        return challenge

    def write_edition(self, structures: list[str], learnt_too: str | None = None) -> None:
        """The demo's edition with some of its structures; its archive is the same.

        learnt_too: the name of a structure more, which has the images of c-Fos.
        """
        edition = yaml.safe_load((ROOT / "config/editions/demo.yaml").read_text())
        edition["structures"] = {name: edition["structures"][name] for name in structures}
        cases = edition["phases"]["final"]["cases"]
        edition["phases"]["final"]["cases"] = {name: cases[name] for name in structures}
        if learnt_too:
            edition["structures"][learnt_too] = edition["structures"]["cfos"]
            edition["phases"]["final"]["cases"][learnt_too] = cases["cfos"]
        self.structures = structures
        (self.root / "config/editions/demo.yaml").write_text(yaml.safe_dump(edition))

    def write_cases(self, number: int, structure: str = "vessel") -> None:
        """The demo's samples of the edition's structures, with some test cases of one of them."""
        with (ROOT / "config/samples/demo.tsv").open() as file:
            header, *rows = csv.reader(file, delimiter="\t")
        kept = [header, *(row for row in rows if row[0] in self.structures)]
        cases = [row for row in kept if row[:2] == [structure, "case"]]
        with (self.root / "config/samples/demo.tsv").open("w") as file:
            table = csv.writer(file, delimiter="\t", lineterminator="\n")
            table.writerows(row for row in kept if row not in cases[number:])

    def outputs(self) -> list[Path]:
        """Every file that a job makes."""
        ran = self.run("--summary", **GIVEN)
        assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
        names = [line.partition("\t")[0] for line in ran.stdout.splitlines()[1:] if "\t" in line]
        return [self.folder / name for name in names]

    def planned_files(self, **config: object) -> tuple[list[str], list[str]]:
        """Files that a run would make now: new ones, and existing ones that are no summary."""
        ran = self.run("--dry-run", **GIVEN | config)
        assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
        listed = re.findall(r"^    output: (.*)$", ran.stdout, re.M)
        files = [file.removeprefix("results/") for line in listed for file in line.split(", ")]
        exist = [file for file in files if (self.results / file).exists()]
        again = sorted(file for file in exist if not SUMMARY.match(file))
        return sorted(file for file in set(files) - set(exist)), again
