"""Snakemake's main process stays small while jobs end by the thousand."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
JOBS = 40
FEW = 15  # threads; a busy machine delays some of the others
SNAKEFILE = """
import sys
sys.path.insert(0, {scripts!r})
from scheduling import mend_scheduler
if {mended}:
    mend_scheduler()

rule all:
    input: expand("quick/{{i}}", i=range({jobs})), "slow", "later"

rule quick:
    output: "quick/{{i}}"
    priority: 2
    shell: "touch {{output}}"

rule slow:
    output: "slow"
    priority: 1
    shell: "sleep 6; touch {{output}}"

rule later:
    output: "later"
    shell: "touch {{output}}"
"""


def threads_after_many_jobs(folder: Path, mended: bool) -> int:
    """Threads of Snakemake's main process while many jobs have ended, one runs and one waits."""
    text = SNAKEFILE.format(scripts=str(SCRIPTS), mended=mended, jobs=JOBS)
    (folder / "Snakefile").write_text(text)
    with subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as main:
        while len(list(folder.glob("quick/*"))) < JOBS:
            assert main.poll() is None, main.stderr.read()
            time.sleep(0.1)
        time.sleep(3)  # into the slow job
        threads = len(list(Path(f"/proc/{main.pid}/task").iterdir()))
        assert main.wait(120) == 0
    return threads


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_ended_jobs_leave_no_threads_in_the_main_process(tmp_path: Path) -> None:
    (tmp_path / "as-it-comes").mkdir()
    (tmp_path / "mended").mkdir()
    # Should the first fail one day, Snakemake has mended it, and `scheduling.py` can go.
    assert threads_after_many_jobs(tmp_path / "as-it-comes", mended=False) > FEW
    assert threads_after_many_jobs(tmp_path / "mended", mended=True) < FEW
