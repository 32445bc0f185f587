"""The partition that the SLURM executor takes for a kind of job, and SLURM's word on it."""

import logging
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import set_gres_string

from .planned_jobs import JobKind

QUIET = logging.getLogger(f"{__name__}.executor")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


@dataclass(frozen=True)
class Placement:
    """Where a kind of job goes; SLURM's answer in its words, and whether it would run."""

    kind: JobKind
    partition: str | None
    accepted: bool
    answer: str


def placed(file: Path, kinds: list[JobKind]) -> list[tuple[JobKind, str | None]]:
    """The partition of each kind of job, by the executor's own choice; None where none fits."""
    partitions = read_partition_file(file)
    jobs = [(kind, _job(kind)) for kind in kinds]
    return [
        (
            kind,
            job.resources.get("slurm_partition") or get_best_partition(partitions, job, QUIET),
        )
        for kind, job in jobs
    ]


class _Resources(dict):
    """Resources as the executor reads them: items that are attributes too."""

    __getattr__ = dict.__getitem__


def _job(kind: JobKind) -> SimpleNamespace:
    """A job as the executor looks at it."""
    request = kind.request
    resources = {"gpu": request.gpus, "mem_mb": request.mem_mb, "runtime": request.minutes}
    if request.gpu_model:
        resources["gpu_model"] = request.gpu_model
    resources = _Resources(resources, **dict(request.site))
    return SimpleNamespace(name=kind.rules[0][0], threads=request.threads, resources=resources)


def submission(kind: JobKind, partition: str) -> list[str]:
    """The command by which the executor submits a job of this kind, without what it runs."""
    job = _job(kind)
    account = job.resources.get("slurm_account")
    names = {"run_uuid": "selma3d-setup", "slurm_logfile": "/dev/null", "comment_str": ""}
    places = {
        "account": f"-A {shlex.quote(account)}" if account else "",
        "partition": f"-p {shlex.quote(partition)}",
        "workdir": "",
    }
    return shlex.split(get_submit_command(job, names | places) + set_gres_string(job))


def tried(kind: JobKind, partition: str | None, options: list[str]) -> Placement:
    """Ask SLURM whether a job of this kind would run (`sbatch --test-only` starts nothing)."""
    if partition is None:
        return Placement(kind, None, False, "no partition is large enough, or has the GPUs")
    command = [*submission(kind, partition), "--test-only", *options, "--wrap", "true"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    words = " ".join(ran.stderr.replace("sbatch: ", "").split())
    return Placement(kind, partition, ran.returncode == 0, words)
