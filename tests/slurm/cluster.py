"""A real SLURM on this machine, and what can befall it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("one_machine_slurm.sh")
FOLDER = Path(os.environ.get("SLURM_TEST_DIR", "/var/lib/slurm-test"))


def missing() -> str:
    """Why SLURM cannot be set up here; empty where it can."""
    if os.geteuid() != 0:
        return "a SLURM for tests needs root"
    if shutil.which("apt-get") is None:
        return "a SLURM for tests needs Debian's packages (apt-get)"
    return ""


def until(true: Callable[[], object], what: str, seconds: float = 600.0) -> object:
    """Wait for a condition and return its value; an error that names it after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(0.5)
    return value


@dataclass(frozen=True)
class Job:
    """One line of the queue."""

    id: str
    state: str
    comment: str
    node: str


class Cluster:
    """The SLURM that one_machine_slurm.sh starts: nodes n0 and n1, two fake GPUs each."""

    def __init__(self, *, accounting: bool = False) -> None:
        self._environment = os.environ | {
            "SLURM_TEST_CPUS": "2",
            "SLURM_TEST_ACCOUNTING": str(int(accounting)),
        }

    def runs(self) -> bool:
        """Whether somebody has started it already; a process id may outlive its process."""
        noted = FOLDER / "slurmctld.pid"
        return noted.exists() and Path("/proc", noted.read_text().strip()).exists()

    def start(self) -> None:
        """Start what is not running."""
        self._script("start")

    def stop(self) -> None:
        """End all jobs and daemons."""
        self._script("stop")

    def _script(self, command: str) -> None:
        ran = subprocess.run(
            [SCRIPT, command], env=self._environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, f"SLURM did not {command}:\n{ran.stdout}\n{ran.stderr}"

    def jobs(self, of: str | Path = "/") -> list[Job]:
        """Pending and running jobs that were submitted from a folder."""
        rows = ask("squeue", "--noheader", "--format=%i|%T|%k|%N|%Z").splitlines()
        fields = [row.split("|") for row in rows]
        return [Job(*row[:4]) for row in fields if Path(row[4]).is_relative_to(of)]

    def cancel(self, folder: Path) -> None:
        """End the jobs that were submitted from a folder."""
        if jobs := self.jobs(folder):
            ask("scancel", *(job.id for job in jobs))
            until(lambda: not self.jobs(folder), f"the jobs of {folder} to end")

    def job(self, folder: Path, rule: str, state: str = "RUNNING") -> Job:
        """The first job of a rule that reaches a state."""
        return until(
            lambda: next(
                (
                    job
                    for job in self.jobs(folder)
                    if job.comment.startswith(f"rule_{rule}") and job.state == state
                ),
                None,
            ),
            f"a {state} job of rule {rule}",
        )

    def detail(self, job: Job, key: str) -> str:
        """A field of `scontrol show job`."""
        shown = ask("scontrol", "show", "job", "--oneliner", job.id)
        return next(f.partition("=")[2] for f in shown.split() if f.startswith(f"{key}="))

    def preempt(self, node: str, seconds: int = 1) -> None:
        """Take a node for a job of higher priority, which lasts `seconds`."""
        taken = ["--partition=gpu", f"--nodelist={node}", "--exclusive", "--output=/dev/null"]
        ask("sbatch", *taken, f"--wrap=sleep {seconds}")

    def kill_processes(self, job: Job) -> None:
        """SIGKILL to all processes of a job at once, as for want of memory."""
        for process in processes_with("SLURM_JOB_ID", job.id):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def end_controller(self) -> None:
        """Kill slurmctld, as a crash does; `start` brings it back with its saved state."""
        kill_recorded("slurmctld")

    @contextmanager
    def failed_node(self, node: str) -> Iterator[None]:
        """A node that loses its power: its daemons and all processes of its jobs are killed.

        First the daemons, which would report the end of the processes that they watch.
        """
        kill_recorded(f"slurmd-{node}")
        below = processes_with("SLURMD_NODENAME", node)
        jobs = {job.id for job in self.jobs() if job.node == node}
        for process in (*step_daemons(jobs), *below):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        ask("scontrol", "update", f"nodename={node}", "state=down", "reason=power")
        try:
            yield
        finally:
            self.start()  # its daemon reports, which brings it back

    @contextmanager
    def drained(self) -> Iterator[None]:
        """Nodes that start no new job, so that submitted ones stay pending."""
        ask("scontrol", "update", "partition=gpu", "state=down")
        try:
            yield
        finally:
            ask("scontrol", "update", "partition=gpu", "state=up")


def ask(*command: str) -> str:
    """Run one of SLURM's commands; its output."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, f"{' '.join(command)}: {ran.stderr}"
    return ran.stdout


def kill_recorded(daemon: str) -> None:
    """SIGKILL a daemon that the script has started."""
    file = FOLDER / f"{daemon}.pid"
    os.kill(int(file.read_text()), signal.SIGKILL)
    file.unlink()


def processes_with(variable: str, value: str) -> dict[int, str]:
    """Name by process id, of the processes in whose environment a variable has a value.

    SLURM tells each process of a job its node's name (SLURMD_NODENAME) and its job (SLURM_JOB_ID).
    """
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            name = (folder / "comm").read_text().strip()
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
        if f"{variable}={value}".encode() in environment:
            found[int(folder.name)] = name
    return found


def step_daemons(jobs: set[str]) -> list[int]:
    """Process ids of the slurmstepd of these jobs, one for the batch script and one a step."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        step = re.match(r"slurmstepd: \[(\d+)\.", title)
        if step and step[1] in jobs:
            found.append(int(folder.name))
    return found
