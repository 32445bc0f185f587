"""What every rule's script shares: a log, one-line errors, thread limits, the time that is left."""

import errno
import logging
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from selma3d.ranking.cost import CPU_TIME
from selma3d.system import gpus
from selma3d.system.atomic import remove_leftovers
from selma3d.system.errors import InputError
from selma3d.system.lease import LeaseLostError
from selma3d.system.stop import Unfinished

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

NOT_FINISHED = 75  # EX_TEMPFAIL: state is saved, submit the job again
SAVING_S = 120  # seconds before a job's limit at which a training saves and stops
PREEMPTION_S = 300  # longest that a training, told to end, waits for SLURM to requeue its job


@contextmanager
def running(snakemake: "Snakemake") -> Iterator[None]:
    """Log to the rule's log file; end with one clear line where the input is at fault.

    On one machine a job gets GPUs of its own. Exit codes: 1 for bad input, 75 for a training that
    saved its state before its time was up.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(snakemake.threads))
    os.environ.setdefault("BLOSC_NTHREADS", "1")
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
        handlers=[logging.FileHandler(snakemake.log[0], mode="a"), logging.StreamHandler()],
        force=True,
    )
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # tells of its guesses otherwise
    for output in snakemake.output:
        remove_leftovers(output)
    wanted = 0 if _in_slurm() else snakemake.resources.get("gpu", 0)
    try:
        with gpus.claimed(wanted):
            yield
    except InputError as error:
        logging.error("error: %s", error)
        sys.exit(1)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            where = error.filename or f"the disk of {snakemake.output[0]}"
            logging.error("error: %s: %s (make room, then start again)", where, error.strerror)
        elif error.filename is None:
            logging.exception("error: rule %s: %s", snakemake.rule, error)
        else:
            logging.error("error: %s: %s", error.filename, error.strerror)
        sys.exit(1)
    except Unfinished as stopped:
        logging.warning("not finished: %s", stopped)
        if stopped.signalled and _in_slurm():
            logging.info("waiting for SLURM to end this job, and to requeue it if preempted")
            time.sleep(PREEMPTION_S)  # a job that ends by itself has failed and is not requeued
        sys.exit(NOT_FINISHED)
    except BaseException:
        logging.exception("rule %s failed", snakemake.rule)
        raise
    finally:
        logging.info(CPU_TIME, _cpu_seconds())


def _cpu_seconds() -> float:
    """CPU time of this job, its children's included once they have ended.

    Snakemake's benchmark looks every 30 s and misses what a job does after the last look.
    """
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def give_way(work: Callable[[], None]) -> None:
    """Do a job's work; where another process has taken it over meanwhile, end with its result.

    A job must not fail for that: Snakemake would remove the outputs that the other has made. Done
    again, the work finds them finished, or is refused by the name of the owner.
    """
    try:
        work()
    except LeaseLostError as lost:
        logging.warning("%s", lost)
        work()


def processes(snakemake: "Snakemake") -> int:
    """Processes of a training: one a GPU, whether the site counts them in `gpu` or in `gres`."""
    count = re.search(r"gpu.*?:(\d+)$", snakemake.resources.get("gres", ""))
    return max(1, snakemake.resources.get("gpu", 0), int(count[1]) if count else 0)


def time_budget_s(snakemake: "Snakemake") -> float | None:
    """Seconds that a training may take on a cluster; None where nobody enforces a limit.

    SLURM is asked how long the job has left, since it started before this script did and its limit
    may not be the one that was asked for.
    """
    if not _in_slurm():
        return None
    left = _time_left_s()
    if left is None:
        left = snakemake.resources.runtime * 60
    return max(left - SAVING_S, left / 2)


def _in_slurm() -> bool:
    return "SLURM_JOB_ID" in os.environ


def _time_left_s() -> float | None:
    """Time left to this SLURM job; None where SLURM doesn't answer or sets no limit."""
    asked = ["squeue", "--noheader", "--format=%L", "--jobs", os.environ["SLURM_JOB_ID"]]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return seconds(answer.stdout.strip())


def seconds(text: str) -> float | None:
    """SLURM's [days-][hours:]minutes:seconds in seconds; None for anything else."""
    parts = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text)
    if parts is None:
        return None
    days, hours, minutes, rest = (int(part or 0) for part in parts.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest
