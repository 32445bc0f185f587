"""Plans stay the same when what jobs share is found out once; they are complete, and counted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
JOBS = 7


def snakemake(
    folder: Path, workflow: str, *options: str, mended: bool = True, counted: str = ""
) -> subprocess.CompletedProcess:
    """Run Snakemake on a workflow, with its planning mended or as it comes.

    counted: code that comes before the mending and collects into a list `seen`, whose length is
    printed at the end.
    """
    mending = "from planning import mend_planning\nmend_planning()" if mended else ""
    (folder / "Snakefile").write_text(
        f"""
import atexit
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
seen = []
atexit.register(lambda: print("seen:", len(seen)))
{counted}
{mending}
{workflow}
"""
    )
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *options],
        cwd=folder,
        env=os.environ | {"PYTHONHASHSEED": "0"},  # reasons list sets
        capture_output=True,
        text=True,
        timeout=120,
    )


def seen(ran: subprocess.CompletedProcess) -> int:
    """How often a workflow that ran without an error has seen what it counts."""
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return int(re.search(r"^seen: (\d+)$", ran.stdout, re.MULTILINE)[1])


def jobs_of(ran: subprocess.CompletedProcess) -> list[str]:
    """The lines of a plan from its jobs on, but for dates and what was counted."""
    lines = ran.stdout[ran.stdout.index("Job stats:") :].splitlines()
    return [line for line in lines if not line.startswith(("[", "seen:"))]


ALL = f"""
rule all:
    input: [f"{{i}}.txt" for i in range({JOBS})]
"""
SCRIPTED = f"""{ALL}
rule made:
    input: lambda wildcards: [f"{{int(wildcards.i) - 1}}.txt"] if int(wildcards.i) else []
    output: "{{i}}.txt"
    resources: mem_mb=lambda wildcards, attempt: 100 * attempt + int(wildcards.i)
    script: "SCRIPT"
"""
LOOKS = """
import snakemake.script
look = snakemake.script.get_source
snakemake.script.get_source = lambda *given: seen.append(given) or look(*given)
"""


def scripted(folder: Path, script: str, *options: str, mended: bool = True):
    """Plan jobs that all have the rule of one script."""
    workflow = SCRIPTED.replace("SCRIPT", script)
    return snakemake(folder, workflow, "--dry-run", *options, mended=mended, counted=LOOKS)


def test_a_script_is_looked_at_once_and_the_plan_stays_the_same(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text("open(snakemake.output[0], 'w')")
    before, after = (scripted(tmp_path, "made.py", mended=mended) for mended in (False, True))
    # Should the first not hold one day, Snakemake has mended it, and `planning.py` can go.
    assert seen(before) == JOBS
    assert seen(after) == 1
    assert jobs_of(after) == jobs_of(before)
    assert f"mem_mb={100 + JOBS - 1}" in after.stdout


@pytest.mark.parametrize("script", ["absent.py", "absent{wildcards.i}.py"])
def test_an_absent_script_is_named_before_any_job_starts(tmp_path: Path, script: str) -> None:
    planned = scripted(tmp_path, script)
    assert planned.returncode != 0
    assert "absent" in planned.stdout + planned.stderr


def test_of_scripts_named_by_a_wildcard_each_is_looked_at(tmp_path: Path) -> None:
    for i in range(JOBS - 1):
        (tmp_path / f"made{i}.py").write_text("")
    planned = scripted(tmp_path, "made{wildcards.i}.py")
    assert planned.returncode != 0
    assert f"made{JOBS - 1}.py" in planned.stdout + planned.stderr


def test_a_quiet_plan_prints_the_number_of_jobs_and_no_job(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text("")
    before, after = (
        scripted(tmp_path, "made.py", "--quiet", mended=mended) for mended in (False, True)
    )
    # Should the first not hold one day, Snakemake has mended it.
    assert "total" not in before.stdout
    assert re.search(rf"^total\s+{JOBS + 1}$", after.stdout, re.MULTILINE)
    assert "rule made:" not in after.stdout


SHARED = f"""{ALL}
rule made:
    input: "shared.txt"
    output: "{{i}}.txt"
    shell: "touch {{output}}"

rule shared:
    output: "shared.txt"
    shell: "touch {{output}}"
"""
SEARCHES = """
from snakemake.output_index import OutputIndex
match = OutputIndex.match

def counted(self, targetfile):
    if targetfile == "shared.txt":
        seen.append(targetfile)
    return match(self, targetfile)

OutputIndex.match = counted
"""


def test_who_makes_a_file_is_found_out_once_for_all_that_read_it(tmp_path: Path) -> None:
    before, after = (
        snakemake(tmp_path, SHARED, "--dry-run", mended=mended, counted=SEARCHES)
        for mended in (False, True)
    )
    # Should the first not hold one day, Snakemake has mended it.
    assert seen(before) == JOBS
    assert seen(after) == 1
    assert jobs_of(after) == jobs_of(before)


ENVIRONMENT = f"""{ALL}
rule made:
    output: "{{i}}.txt"
    params: number=lambda wildcards: seen.append(wildcards.i) or wildcards.i
    conda: CONDA
    shell: "touch {{output}}"
"""


def test_parameters_are_not_worked_out_for_an_environment_that_is_the_same_for_all(
    tmp_path: Path,
) -> None:
    def asked(conda: str, *, mended: bool) -> int:
        workflow = ENVIRONMENT.replace("CONDA", conda)
        return seen(snakemake(tmp_path, workflow, "--dry-run", "--quiet", mended=mended))

    (tmp_path / "made.yaml").write_text("dependencies: [python]")
    assert asked("'made.yaml'", mended=True) == 0
    assert asked("lambda wildcards, params: 'made.yaml'", mended=True) == JOBS
    # Should this not hold one day, Snakemake has mended it.
    assert asked("'made.yaml'", mended=False) == JOBS


ANCIENT = """
rule last:
    input: "waits.txt"
    output: "last.txt"
    shell: "touch {output}"

rule waits:
    input: ancient("first.txt")
    output: "waits.txt"
    params: WAITS
    shell: "touch {output}"

rule first:
    output: "first.txt"
    params: FIRST
    shell: "touch {output}"
"""


def test_a_job_with_a_reason_of_its_own_runs_behind_one_that_it_only_waits_for(
    tmp_path: Path,
) -> None:
    def run(*options: str, first: int, waits: int, mended: bool = True) -> set[str]:
        workflow = ANCIENT.replace("FIRST", str(first)).replace("WAITS", str(waits))
        ran = snakemake(tmp_path, workflow, *options, mended=mended)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        told = ran.stdout + ran.stderr
        return set(re.findall(r"^(?:local)?rule (\w+):$", told, re.MULTILINE))

    assert run(first=1, waits=1) == {"first", "waits", "last"}
    assert run("-n", first=2, waits=1) == {"first"}
    assert run("-n", first=2, waits=2) == {"first", "waits", "last"}
    # Should this not hold one day, Snakemake has mended it.
    assert run("-n", first=2, waits=2, mended=False) == {"first"}
