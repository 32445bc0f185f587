"""The partition that the SLURM executor takes for a kind of job, and SLURM's word on it."""

import logging
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

from .planned_jobs import JobKind, Request

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
    return [(kind, get_best_partition(partitions, _job(kind), QUIET)) for kind in kinds]


def _job(kind: JobKind) -> SimpleNamespace:
    """A job as the executor looks at it."""
    request = kind.request
    resources = {"gpu": request.gpus, "mem_mb": request.mem_mb, "runtime": request.minutes}
    if request.gpu_model:
        resources["gpu_model"] = request.gpu_model
    return SimpleNamespace(name=kind.rules[0][0], threads=request.threads, resources=resources)


def tried(kind: JobKind, partition: str | None, options: list[str]) -> Placement:
    """Ask SLURM whether a job of this kind would run (`sbatch --test-only` starts nothing)."""
    if partition is None:
        return Placement(kind, None, False, "no partition is large enough, or has the GPUs")
    command = ["sbatch", "--test-only", "-p", partition, *_flags(kind.request), *options]
    ran = subprocess.run([*command, "--wrap", "true"], capture_output=True, text=True, check=False)
    words = " ".join(ran.stderr.replace("sbatch: ", "").split())
    return Placement(kind, partition, ran.returncode == 0, words)


def _flags(request: Request) -> list[str]:
    """Options of sbatch, as the executor writes them."""
    flags = ["-t", str(request.minutes), "--mem", str(request.mem_mb)]
    flags.append(f"--cpus-per-task={request.threads}")
    if not request.gpus:
        return [*flags, "--ntasks=1"]
    model = f"{request.gpu_model}:" if request.gpu_model else ""
    return [*flags, f"--gpus={model}{request.gpus}"]
