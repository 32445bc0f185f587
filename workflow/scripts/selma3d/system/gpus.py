"""A GPU of its own for each job of a machine or an allocation, where no scheduler gives it one.

Jobs that start side by side would all take the first GPU. Each claims free ones by a file lock,
which the kernel releases when the process ends, however it ends. Within a SLURM allocation (salloc,
a batch script, or a job of the executor) the locks are that allocation's own: SLURM may give
different GPUs of a node the same number in different jobs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator

from .errors import BusyError, InputError
from .file_lock import try_lock

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
EXPECTED = "SELMA3D_GPUS"  # the number that this job asked for; its other processes read it too


def present() -> list[str]:
    """GPUs that this process may use: those that CUDA_VISIBLE_DEVICES names, else the machine's.

    A GPU that is divided (MIG) counts as its instances, which is what CUDA can use of it.
    """
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip()]
    if shutil.which("nvidia-smi") is None:
        return []
    answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    found: list[list[str]] = []  # for each GPU its name, then those of its instances
    for name in re.findall(r"UUID: (\S+?)\)", answer.stdout if answer.returncode == 0 else ""):
        if name.startswith("MIG-") and found:
            found[-1].append(name)
        else:
            found.append([name])
    return [name for gpu in found for name in (gpu[1:] or gpu)]


def expected() -> int:
    """GPUs that the job of this process asked for; 0 where no rule's job runs."""
    return int(os.environ.get(EXPECTED, "0"))


def declined() -> bool:
    """Whether this process is that of a rule's job which asked for none: others may own them."""
    return os.environ.get(EXPECTED) == "0"


@contextlib.contextmanager
def expecting(count: int) -> Iterator[None]:
    """Let this process and its children know how many GPUs the job asked for."""
    with _variable(EXPECTED, str(count)):
        yield


@contextlib.contextmanager
def claimed(count: int, *, jobs_per_gpu: int = 1, patience_s: float = 600.0) -> Iterator[list[str]]:
    """Own `count` GPUs of this machine, and let CUDA see only those, while the context lasts.

    jobs_per_gpu: how many jobs may own a GPU at a time. Nothing happens where there is no GPU or
    none is asked for. Call it before CUDA is first used. Raises InputError where the machine has
    fewer, BusyError where they stay taken for `patience_s`.
    """
    names = present() if count else []
    if not names:
        yield []
        return
    if count > 1:
        names = _whole(names, count)
    if len(names) < count:
        raise InputError(
            f"resources.gpu: expected at most {len(names)}, the GPUs of this machine, found {count}"
        )
    with contextlib.ExitStack() as held:
        own = _claim(names, count, jobs_per_gpu, patience_s, held)
        log.info("GPUs of this job: %s", ", ".join(own))
        with _variable(VISIBLE, ",".join(own)):
            yield own


@contextlib.contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _whole(names: list[str], count: int) -> list[str]:
    """Those that are no instances of a divided GPU, of which CUDA uses one a process."""
    whole = [name for name in names if not name.startswith("MIG-")]
    if len(whole) < min(count, len(names)):
        raise InputError(
            f"resources.training_gpus: expected at most {max(1, len(whole))}, as the others are "
            f"instances of divided GPUs (MIG), of which a process can use one, found {count}"
        )
    return whole


def _claim(
    names: list[str],
    count: int,
    jobs_per_gpu: int,
    patience_s: float,
    held: contextlib.ExitStack,
) -> list[str]:
    """Lock `count` of these GPUs, all or none at a time, so that two jobs never wait in a ring."""
    began = time.monotonic()
    while True:
        with contextlib.ExitStack() as attempt:
            own: list[str] = []
            for place in range(jobs_per_gpu):  # an empty GPU before a shared one
                for name in names:
                    if len(own) < count and name not in own and _lock(name, place, attempt):
                        own.append(name)
            if len(own) == count:
                held.push(attempt.pop_all())
                return own
        if time.monotonic() - began > patience_s:
            raise BusyError(
                f"GPUs {', '.join(names)}: expected {count} free, found the others taken by other "
                "jobs (profiles/local-gpu: resources: gpu must not exceed the machine's GPUs times "
                "jobs_per_gpu)"
            )
        time.sleep(1.0)


def _lock(name: str, place: int, attempt: contextlib.ExitStack) -> bool:
    allocation = os.environ.get("SLURM_JOB_ID", "")
    parts = [name, *([f"job{allocation}"] if allocation else []), *([str(place)] if place else [])]
    plain = re.sub(r"[^A-Za-z0-9-]", "_", "-".join(parts))
    path = os.path.join(tempfile.gettempdir(), f"selma3d-{os.getuid()}-gpu-{plain}")  # noqa: PTH118
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if not try_lock(file):
        os.close(file)
        return False
    attempt.callback(os.close, file)
    return True
