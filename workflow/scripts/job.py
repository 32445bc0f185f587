"""The frame of every rule's script: its log and state, one-line errors, threads, time left."""

import errno
import json
import logging
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from selma3d.system import gpus, job_state
from selma3d.system.atomic import open_own, remove_leftovers
from selma3d.system.errors import GpuMemoryError, InputError
from selma3d.system.job_state import FAILED, FINISHED, NOT_FINISHED, JobReport, JobState
from selma3d.system.lease import LeaseLostError
from selma3d.system.process_name import ProcessName
from selma3d.system.stop import Unfinished

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

SAVED_EXIT = 75  # EX_TEMPFAIL: state is saved, submit the job again
SAVING_S = 120  # seconds before a job's limit, or its end, in which a training saves and stops
PREEMPTION_S = 300  # longest that a training, told to end, waits for SLURM to requeue its job
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
RUN_OWNER = "SELMA3D_RUN_OWNER"  # the process that the job ends with, as JSON; none for plain runs


@contextmanager
def running(snakemake: "Snakemake") -> Iterator[None]:
    """Log to the rule's log file; end with one clear line where the input is at fault.

    On one machine, or within one allocation, a job gets GPUs of its own; on one machine it ends
    when the run that started it has died. Its state stands in `<log>.json`. Exit codes: 1 for bad
    input, 75 for a training that saved its state before its time was up.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(snakemake.threads))
    os.environ.setdefault("BLOSC_NTHREADS", "1")
    try:
        log = open_own(snakemake.log[0], "a")
    except InputError as error:
        sys.exit(f"error: {error}")
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
        handlers=[logging.StreamHandler(log), logging.StreamHandler()],
        force=True,
    )
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # tells of its guesses otherwise
    for output in snakemake.output:
        remove_leftovers(output)
    _refuse_if_hopeless(snakemake)
    shared = snakemake.config.get("resources", {}).get("jobs_per_gpu", 1)
    with _reported(snakemake.log[0]) as report, _alive_with_its_run(report):
        try:
            with (
                gpus.expecting(_gpus(snakemake)),
                gpus.claimed(snakemake.resources.get("gpu", 0), jobs_per_gpu=shared),
            ):
                yield
        except InputError as error:
            hopeless = isinstance(error, GpuMemoryError)
            report.finish(FAILED, _cpu_seconds(), str(error), hopeless=hopeless)
            logging.error("error: %s", error)
            sys.exit(1)
        except OSError as error:
            line = _described(error, snakemake.output[0])
            report.finish(FAILED, _cpu_seconds(), line)
            if error.filename is None and error.errno not in FULL_DISK:
                logging.exception("error: %s", line)
            else:
                logging.error("error: %s", line)
            sys.exit(1)
        except Unfinished as stopped:
            report.progress(stopped.step, stopped.total, now=True)
            report.finish(NOT_FINISHED, _cpu_seconds())
            logging.warning("not finished: %s", stopped)
            if stopped.signalled and _in_slurm():
                logging.info("waiting for SLURM to end this job, and to requeue it if preempted")
                time.sleep(PREEMPTION_S)  # a job that ends by itself failed and is not requeued
            sys.exit(SAVED_EXIT)
        except BaseException as error:
            line = " ".join(f"{type(error).__name__}: {error}".split())
            report.finish(FAILED, _cpu_seconds(), line)
            logging.exception("rule %s failed", snakemake.rule)
            raise
        report.finish(FINISHED, _cpu_seconds())


def _refuse_if_hopeless(snakemake: "Snakemake") -> None:
    """End a new attempt at once where the one before found that its GPU has too little memory.

    A profile's retries repeat every failed job, with more of the host's memory, which is no help.
    """
    before = JobState.read(job_state.file_of(snakemake.log[0]))
    if snakemake.resources.get("attempt", 1) > 1 and before is not None and before.hopeless:
        logging.error("error: %s", before.error)
        sys.exit(1)


def _described(error: OSError, output: str) -> str:
    """An error of the operating system in one line."""
    if error.errno in FULL_DISK:
        where = error.filename or f"the disk of {output}"
        return f"{where}: {error.strerror} (make room, then start again)"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


@contextmanager
def _reported(log: str) -> Iterator[JobReport]:
    """The report of this job, which trainings in other processes of it find too."""
    before = os.environ.get(job_state.JOB)
    os.environ[job_state.JOB] = os.path.abspath(job_state.file_of(log))  # noqa: PTH100
    report = JobReport.of_environment()
    report.begin()
    try:
        yield report
    finally:
        del os.environ[job_state.JOB]
        if before is not None:
            os.environ[job_state.JOB] = before


@contextmanager
def _alive_with_its_run(report: JobReport) -> Iterator[None]:
    """Show signs of life; end where the run that started this job on this host has died.

    A training then saves, as at the end of its time; what doesn't end so is killed.
    """
    named = None if _in_slurm() else os.environ.get(RUN_OWNER)
    owner = ProcessName(**json.loads(named)) if named else None
    ended = threading.Event()

    def watch() -> None:
        beaten, orphaned = time.monotonic(), None
        while not ended.wait(1.0):
            now = time.monotonic()
            if now - beaten >= job_state.BEAT_S:
                report.beat()
                beaten = now
            if orphaned is None and owner is not None and owner.lives() is False:
                orphaned = now
                logging.warning("the run that started this job (process %d) is dead", owner.pid)
                os.kill(os.getpid(), signal.SIGTERM)
            if orphaned is not None and now - orphaned > SAVING_S:
                os.kill(os.getpid(), signal.SIGKILL)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()


def _cpu_seconds() -> float:
    """CPU time of this job, its children's included once they have ended.

    Snakemake's benchmark looks every 30 s and misses what a job does after the last look.
    """
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def retry_if_lease_lost(work: Callable[[], None]) -> None:
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
    """Processes of a training: one a GPU."""
    return max(1, _gpus(snakemake))


def _gpus(snakemake: "Snakemake") -> int:
    """GPUs that a job asked for, whether the site counts them in `gpu` or in `gres`."""
    count = re.search(r"gpu.*?:(\d+)$", snakemake.resources.get("gres", ""))
    return max(snakemake.resources.get("gpu", 0), int(count[1]) if count else 0)


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
    query = ["squeue", "--noheader", "--format=%L", "--jobs", os.environ["SLURM_JOB_ID"]]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
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
