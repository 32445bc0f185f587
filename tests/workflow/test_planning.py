"""Plans are the same when scripts are looked at once; they are complete, and say how large."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
JOBS = 7
SNAKEFILE = """
import atexit
import sys

import snakemake.script

sys.path.insert(0, {scripts!r})
from planning import mend_planning

found = snakemake.script.get_source
looks = []

def counted(path, *arguments):
    looks.append(path)
    return found(path, *arguments)

snakemake.script.get_source = counted
atexit.register(lambda: print("looks:", len(looks)))
if {mended}:
    mend_planning()

rule all:
    input: [f"{{i}}.txt" for i in range({jobs})]

rule made:
    input: lambda wildcards: [f"{{int(wildcards.i) - 1}}.txt"] if int(wildcards.i) else []
    output: "{{i}}.txt"
    resources: mem_mb=lambda wildcards, attempt: 100 * attempt + int(wildcards.i)
    script: {script!r}
"""


def plan(folder: Path, mended: bool, script: str, *options: str) -> subprocess.CompletedProcess:
    """A dry run of jobs that all have one rule."""
    text = SNAKEFILE.format(scripts=str(SCRIPTS), mended=mended, jobs=JOBS, script=script)
    (folder / "Snakefile").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", *options],
        cwd=folder,
        env=os.environ | {"PYTHONHASHSEED": "0"},  # reasons list sets
        capture_output=True,
        text=True,
        timeout=120,
    )


def jobs_of(text: str) -> list[str]:
    """The lines of a plan from its jobs on, but for dates and the number of looks."""
    lines = text[text.index("Job stats:") :].splitlines()
    return [line for line in lines if not line.startswith(("[", "looks:"))]


def test_a_script_is_looked_at_once_and_the_plan_stays_the_same(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text("open(snakemake.output[0], 'w')")
    before, after = (plan(tmp_path, mended, "made.py") for mended in (False, True))
    assert before.returncode == after.returncode == 0
    # Should the first not hold one day, Snakemake has mended it, and `planning.py` can go.
    assert f"looks: {JOBS}\n" in before.stdout
    assert "looks: 1\n" in after.stdout
    assert jobs_of(after.stdout) == jobs_of(before.stdout)
    assert f"mem_mb={100 + JOBS - 1}" in after.stdout


@pytest.mark.parametrize("script", ["absent.py", "absent{wildcards.i}.py"])
def test_an_absent_script_is_named_before_any_job_starts(tmp_path: Path, script: str) -> None:
    planned = plan(tmp_path, True, script)
    assert planned.returncode != 0
    assert "absent" in planned.stdout + planned.stderr


SHARED = """
import atexit
import sys
sys.path.insert(0, {scripts!r})
from planning import mend_planning
from snakemake.output_index import OutputIndex

match, searched = OutputIndex.match, []

def counted(self, targetfile):
    searched.append(str(targetfile))
    return match(self, targetfile)

OutputIndex.match = counted
atexit.register(lambda: print("searched:", searched.count("shared.txt")))
if {mended}:
    mend_planning()

rule all:
    input: [f"{{i}}.txt" for i in range({jobs})]

rule made:
    input: "shared.txt"
    output: "{{i}}.txt"
    shell: "touch {{output}}"

rule shared:
    output: "shared.txt"
    shell: "touch {{output}}"
"""


def test_who_makes_a_file_is_found_out_once_for_all_that_read_it(tmp_path: Path) -> None:
    def planned(*, mended: bool) -> tuple[int, list[str]]:
        text = SHARED.format(scripts=str(SCRIPTS), mended=mended, jobs=JOBS)
        (tmp_path / "Snakefile").write_text(text)
        ran = subprocess.run(
            [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules", "--cores", "1"],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        searched = int(re.search(r"^searched: (\d+)$", ran.stdout, re.MULTILINE)[1])
        return searched, re.findall(r"^(?:made|shared|total) +\d+$", ran.stdout, re.MULTILINE)

    searched, jobs = planned(mended=True)
    assert searched == 1
    # Should this not hold one day, Snakemake has mended it.
    assert planned(mended=False) == (JOBS, jobs)
    assert len(set(jobs)) == 3


ENVIRONMENT = """
import atexit
import sys
sys.path.insert(0, {scripts!r})
from planning import mend_planning

asked = []
atexit.register(lambda: print("asked:", len(asked)))
if {mended}:
    mend_planning()

rule all:
    input: [f"{{i}}.txt" for i in range({jobs})]

rule made:
    output: "{{i}}.txt"
    params: number=lambda wildcards: asked.append(wildcards.i) or wildcards.i
    conda: {conda}
    shell: "touch {{output}}"
"""


def asked(folder: Path, *, mended: bool, conda: str) -> int:
    """How often a plan asks for a job's parameters."""
    (folder / "made.yaml").write_text("dependencies: [python]")
    text = ENVIRONMENT.format(scripts=str(SCRIPTS), mended=mended, jobs=JOBS, conda=conda)
    (folder / "Snakefile").write_text(text)
    ran = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "--cores", "1"],
        cwd=folder, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return int(re.search(r"^asked: (\d+)$", ran.stdout, re.MULTILINE)[1])


def test_parameters_are_not_worked_out_for_an_environment_that_is_the_same_for_all(
    tmp_path: Path,
) -> None:
    assert asked(tmp_path, mended=True, conda="'made.yaml'") == 0
    assert asked(tmp_path, mended=True, conda="lambda wildcards, params: 'made.yaml'") == JOBS
    # Should this not hold one day, Snakemake has mended it.
    assert asked(tmp_path, mended=False, conda="'made.yaml'") == JOBS


def test_of_scripts_named_by_a_wildcard_each_is_looked_at(tmp_path: Path) -> None:
    for i in range(JOBS - 1):
        (tmp_path / f"made{i}.py").write_text("")
    planned = plan(tmp_path, True, "made{wildcards.i}.py")
    assert planned.returncode != 0
    assert f"made{JOBS - 1}.py" in planned.stdout + planned.stderr


def test_a_quiet_plan_prints_the_number_of_jobs_and_no_job(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text("")
    before, after = (plan(tmp_path, mended, "made.py", "--quiet") for mended in (False, True))
    # Should the first not hold one day, Snakemake has mended it.
    assert "total" not in before.stdout
    assert re.search(rf"^total\s+{JOBS + 1}$", after.stdout, re.MULTILINE)
    assert "rule made:" not in after.stdout


ANCIENT = """
import sys
sys.path.insert(0, {scripts!r})
from planning import mend_planning
if {mended}:
    mend_planning()

rule last:
    input: "waits.txt"
    output: "last.txt"
    shell: "touch {{output}}"

rule waits:
    input: ancient("first.txt")
    output: "waits.txt"
    params: {waits}
    shell: "touch {{output}}"

rule first:
    output: "first.txt"
    params: {first}
    shell: "touch {{output}}"
"""


def planned(folder: Path, *options: str, mended: bool, first: int, waits: int) -> set[str]:
    """The rules that run, or would run, where two of three have a parameter."""
    text = ANCIENT.format(scripts=str(SCRIPTS), mended=mended, first=first, waits=waits)
    (folder / "Snakefile").write_text(text)
    ran = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *options],
        cwd=folder, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return set(re.findall(r"^(?:local)?rule (\w+):$", ran.stdout + ran.stderr, re.MULTILINE))


def test_a_job_with_a_reason_of_its_own_runs_behind_one_that_it_only_waits_for(tmp_path: Path):
    assert planned(tmp_path, mended=True, first=1, waits=1) == {"first", "waits", "last"}
    assert planned(tmp_path, "-n", mended=True, first=2, waits=1) == {"first"}
    assert planned(tmp_path, "-n", mended=True, first=2, waits=2) == {"first", "waits", "last"}
    # Should this not hold one day, Snakemake has mended it.
    assert planned(tmp_path, "-n", mended=False, first=2, waits=2) == {"first"}
