"""The frame of every rule's script: its log and state, one-line errors, threads, time left."""

import json
import logging
import os
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import slurm_job
from selma3d.system import gpus, job_state
from selma3d.system.atomic import FULL_DISK, open_own, remove_leftovers
from selma3d.system.errors import BusyError, FullDiskError, GpuMemoryError, InputError
from selma3d.system.job_state import FAILED, FINISHED, NOT_FINISHED, JobReport, JobState
from selma3d.system.lease import LeaseLostError
from selma3d.system.process_name import ProcessName
from selma3d.system.stop import Unfinished

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

SAVED_EXIT = 75  # EX_TEMPFAIL: state is saved, submit the job again
SAVING_S = 120  # seconds before a job's limit, or its end, in which a training saves and stops
RUN_OWNER = "SELMA3D_RUN_OWNER"  # the process that the job ends with, as JSON; none for plain runs


@contextmanager
def running(snakemake: "Snakemake") -> Iterator[None]:
    """Log to the rule's log file; end with one clear line where the input is at fault.

    On one machine, or within one allocation, a job gets GPUs of its own; on one machine it ends
    when the run that started it has died. Its state stands in `<log>.json`. Exit codes: 1 for bad
    input, 75 for a training that saved its state before its time was up. A job of SLURM that only
    needs more time, or waits for another, is requeued under its number instead of failing.
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
    before = JobState.read(job_state.file_of(snakemake.log[0]))
    _refuse_if_hopeless(snakemake, before)
    given_mb = snakemake.resources.get("mem_mb")
    shared = snakemake.config.get("resources", {}).get("jobs_per_gpu", 1)
    with _reported(snakemake.log[0], given_mb) as report, _alive_with_its_run(report):

        def ended(end: str, line: str = "", reason: str = "") -> None:
            report.finish(end, _cpu_seconds(), line, reason)
            if line:
                logging.error("error: %s", line)

        try:
            with (
                slurm_job.heeding_end(),
                gpus.expecting(gpus_asked(snakemake)),
                gpus.claimed(snakemake.resources.get("gpu", 0), jobs_per_gpu=shared),
            ):
                yield
        except (InputError, OSError, MemoryError) as error:
            if isinstance(error, BusyError) and slurm_job.is_executors():
                logging.warning("waiting: %s", error)
                ended(NOT_FINISHED)
                slurm_job.requeue()
            ended(FAILED, *_told(error, snakemake))
            sys.exit(1)
        except Unfinished as stopped:
            report.progress(stopped.step, stopped.total, now=True)
            if not stopped.signalled and stopped.step <= _step(before):
                line = f"no step was done within the time limit ({_longer(snakemake)})"
                ended(FAILED, line, job_state.BAD_INPUT)
                sys.exit(1)
            ended(NOT_FINISHED)
            logging.warning("not finished: %s", stopped)
            if stopped.signalled and slurm_job.in_slurm():
                slurm_job.wait_for_end()
            elif slurm_job.is_executors():
                slurm_job.requeue()
            sys.exit(SAVED_EXIT)
        except slurm_job.ToldToEndError:
            minutes = snakemake.resources.get("runtime", 0)
            if report.seconds > minutes * 60 - SAVING_S:
                line = f"its time limit of {minutes} minutes is over ({_longer(snakemake)})"
                ended(FAILED, line, job_state.TIME)
            else:
                ended(NOT_FINISHED)
                logging.warning("not finished: preempted or cancelled")
            slurm_job.wait_for_end()
            sys.exit(SAVED_EXIT)
        except BaseException as error:
            line = " ".join(f"{type(error).__name__}: {error}".split())
            report.finish(FAILED, _cpu_seconds(), line)
            logging.exception("rule %s failed", snakemake.rule)
            raise
        ended(FINISHED)


def _refuse_if_hopeless(snakemake: "Snakemake", before: JobState | None) -> None:
    """End a new attempt at once where the one before told that it would fail again.

    A profile's retries repeat every failed job. Its state stays that of the attempt before.
    """
    if snakemake.resources.get("attempt", 1) > 1 and before is not None and before.hopeless:
        logging.error("error: %s", before.error)
        sys.exit(1)


def _told(error: Exception, snakemake: "Snakemake") -> tuple[str, str]:
    """An error in one line, and why the job failed; empty where it may succeed a second time."""
    if isinstance(error, MemoryError):
        given_mb = snakemake.resources.get("mem_mb")
        told = " ".join(str(error).split()) or "out of memory"
        needs = f"needs more memory than it has{f', {given_mb} MB' if given_mb else ''}"
        return f"{needs} ({told})", job_state.MEMORY
    if isinstance(error, OSError):
        if error.errno in FULL_DISK:
            where = error.filename or f"the disk of {snakemake.output[0]}"
            return f"{where}: {error.strerror} (make room, then start again)", job_state.DISK
        if error.filename:
            return f"{error.filename}: {error.strerror}", ""
        logging.exception("an error of the operating system")
        return str(error), ""
    for kind, reason in ((GpuMemoryError, job_state.GPU_MEMORY), (FullDiskError, job_state.DISK)):
        if isinstance(error, kind):
            return str(error), reason
    lost = any(not os.path.exists(path) for path in snakemake.input)  # noqa: PTH110
    return str(error), "" if lost or isinstance(error, BusyError) else job_state.BAD_INPUT


def _step(before: JobState | None) -> int:
    """The step that the attempt before had saved."""
    saved = before is not None and before.end == NOT_FINISHED
    return (before.step or 0) if saved else 0


def _longer(snakemake: "Snakemake") -> str:
    """How to give a rule's jobs more time."""
    return f"give it more in the profile: set-resources: {{{snakemake.rule}: {{runtime: minutes}}}}"


@contextmanager
def _reported(log: str, mem_mb: int | None) -> Iterator[JobReport]:
    """The report of this job, which trainings in other processes of it find too."""
    before = os.environ.get(job_state.JOB)
    os.environ[job_state.JOB] = os.path.abspath(job_state.file_of(log))  # noqa: PTH100
    report = JobReport.of_environment()
    report.begin(mem_mb, slurm_job.queued_s() if slurm_job.is_executors() else None)
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
    named = None if slurm_job.in_slurm() else os.environ.get(RUN_OWNER)
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
    again, the work finds them finished, or ends with an error that names the owner.
    """
    try:
        work()
    except LeaseLostError as lost:
        logging.warning("%s", lost)
        work()


def processes(snakemake: "Snakemake") -> int:
    """Processes of a training: one a GPU."""
    return max(1, gpus_asked(snakemake))


def gpus_asked(snakemake: "Snakemake") -> int:
    """GPUs that a job asked for, whether the site counts them in `gpu` or in `gres`."""
    count = re.search(r"gpu.*?:(\d+)$", snakemake.resources.get("gres", ""))
    return max(snakemake.resources.get("gpu", 0), int(count[1]) if count else 0)


def scratch(snakemake: "Snakemake") -> str:
    """The folder of the node for copies of what is read often; empty for none."""
    return snakemake.config.get("resources", {}).get("scratch", "")


def time_budget_s(snakemake: "Snakemake") -> float | None:
    """Seconds that a training may take on a cluster; None where nobody enforces a limit.

    SLURM is asked how long the job has left, since it started before this script did and its limit
    may not be the one that was asked for.
    """
    if not slurm_job.in_slurm():
        return None
    left = slurm_job.time_left_s()
    if left is None:
        left = snakemake.resources.runtime * 60
    return max(left - SAVING_S, left / 2)
