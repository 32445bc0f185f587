"""Claims that the patches of upstream faults are for: a small main process, no job forgotten."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import upstream_fixes
from upstream_fixes.slurm_lost_states import answered

WORKFLOW = Path(upstream_fixes.__file__).parents[1]
JOBS = 40
FEW = 15  # threads; a busy machine delays some of the others
SNAKEFILE = f"""
import os, sys
sys.path.append({str(WORKFLOW)!r})
import upstream_fixes
upstream_fixes.apply()

rule count:
    input: expand("quick/{{i}}", i=range({JOBS}))
    output: "threads"
    params: threads=f"/proc/{{os.getpid()}}/task"
    shell: "ls {{params.threads}} | wc -l >{{output}}"

rule quick:
    output: "quick/{{i}}"
    shell: "touch {{output}}"
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_ended_jobs_leave_no_threads_in_the_main_process(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert int((tmp_path / "threads").read_text()) < FEW


def asked(states: dict[str, str] | None, seconds: float | None) -> dict[str, str]:
    async def query(command, logger):
        return states, seconds

    return asyncio.run(answered(query)("squeue", logging.getLogger()))[0]


def test_no_answer_of_slurm_says_nothing_about_any_job(caplog) -> None:
    assert asked(None, None) == {}
    assert "asking again later" in caplog.text


def test_a_state_of_a_slurm_job_is_its_first_word() -> None:
    found = asked({"7": "CANCELLED by 1000", "8": "RUNNING", "9": ""}, 0.1)
    assert found == {"7": "CANCELLED", "8": "RUNNING", "9": ""}


def test_an_unknown_state_is_no_success() -> None:
    assert asked({"7": "UNKNOWN", "8": "RUNNING"}, 0.1) == {"8": "RUNNING"}


def test_a_patch_stays_off_for_another_version_and_says_so(caplog) -> None:
    assert upstream_fixes.is_installed("snakemake", version("snakemake"))
    assert caplog.text == ""
    assert not upstream_fixes.is_installed("snakemake", "9.0.0")
    assert f"snakemake {version('snakemake')}: not patched, the patch is for 9.0.0" in caplog.text
    assert not upstream_fixes.is_installed("a-package-that-is-not-installed", "1.0")
