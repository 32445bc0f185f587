"""A SLURM job from within: its queue and time left, being told to end, being requeued."""

import logging
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

ENDING_S = 300  # longest that a job waits for SLURM to end it, and to requeue it
TIDYING_S = 60  # that a Snakemake within a job has to end by itself once the job is over


class ToldToEndError(BaseException):
    """SLURM ends the job: its time is up, or it is preempted or cancelled."""


def in_slurm() -> bool:
    """Whether this process belongs to a job or an allocation of SLURM."""
    return "SLURM_JOB_ID" in os.environ


def is_executors() -> bool:
    """Whether this is a job that the executor has submitted: it runs each in a step of its own.

    What runs beside Snakemake in a batch script is none, and must not requeue it.
    """
    return in_slurm() and "SLURM_STEP_ID" in os.environ


@contextmanager
def heeding_end() -> Iterator[None]:
    """Unwind at SLURM's SIGTERM, so that nothing half-written stays; trainings do it themselves."""
    if not is_executors() or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise ToldToEndError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end_with_parent(tidying_s: float = TIDYING_S) -> None:
    """Let a Snakemake that runs within a job, and what it waits for, not outlive the job.

    Without cgroups SLURM finds the processes of a job by their parents. Its SIGTERM ends the batch
    script's shell, so that the Snakemake below belongs to nobody and gets no SIGKILL. That one may
    wait for ever: for an srun that hangs, or in its own handler of SIGTERM for a lock that it holds
    itself, as while it tidies up after a job (Snakemake 9.27, `JobScheduler.exit_gracefully`).
    `tidying_s` seconds after its parent has gone, the process group that the parent or this process
    leads is killed.
    """
    if not in_slurm():
        return
    parent, own, group = os.getppid(), os.getpid(), os.getpgrp()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        time.sleep(tidying_s)
        if group in (parent, own):
            os.killpg(group, signal.SIGKILL)
        os.kill(own, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def requeue() -> None:
    """Let SLURM start this job again later under its number, which costs none of the retries.

    Returns where SLURM refuses: the job then fails, and Snakemake submits it again.
    """
    command = ["scontrol", "requeue", os.environ["SLURM_JOB_ID"]]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        logging.warning("SLURM does not requeue this job: %s", " ".join(ran.stderr.split()))
    else:
        wait_for_end()


def wait_for_end() -> None:
    """Wait for SLURM to end this job: one that ends by itself failed, and is not requeued."""
    logging.info("waiting for SLURM to end this job, and to requeue it if it shall go on")
    with suppress(ToldToEndError):
        time.sleep(ENDING_S)
        return
    time.sleep(ENDING_S)


def time_left_s() -> float | None:
    """Time left to this SLURM job; None where SLURM doesn't answer or sets no limit."""
    return seconds(_asked("%L"))


def queued_s() -> float | None:
    """Time that this SLURM job has waited for its start; None where SLURM doesn't answer."""
    try:
        submitted, started = map(datetime.fromisoformat, _asked("%V %S").split())
    except ValueError:
        return None
    return max((started - submitted).total_seconds(), 0.0)


def _asked(form: str) -> str:
    """What SLURM tells of this job in squeue's format; empty where it doesn't answer."""
    query = ["squeue", "--noheader", f"--format={form}", "--jobs", os.environ["SLURM_JOB_ID"]]
    environment = os.environ | {"SLURM_TIME_FORMAT": "standard"}
    try:
        answer = subprocess.run(
            query, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()


def seconds(text: str) -> float | None:
    """SLURM's [days-][hours:]minutes:seconds in seconds; None for anything else."""
    parts = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text)
    if parts is None:
        return None
    days, hours, minutes, rest = (int(part or 0) for part in parts.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest
