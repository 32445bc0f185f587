"""Threads of Snakemake's scheduler: one for each job that has ended, until the host has no more.

Snakemake 9.27.1 looks for jobs to start whenever one has ended, and once more a second later, since
its limit of starts a second (`--max-jobs-per-timespan`, which can't be switched off) may then be
over. Each of those second looks asks for another, so that a run in which N jobs have ended keeps N
threads, which look N times a second. Reported: https://github.com/snakemake/snakemake/issues/3804
(it ends there with "can't start new thread"). Here one look at a time is waited for.
"""

import threading
from weakref import WeakKeyDictionary

from snakemake.scheduling.job_scheduler import JobScheduler

from . import is_installed

WAITING: WeakKeyDictionary[JobScheduler, threading.Timer] = WeakKeyDictionary()


def look_again(scheduler: JobScheduler, delay: float) -> None:
    """Let the scheduler look once more after `delay` seconds, unless it is about to anyway."""
    if scheduler not in WAITING or not WAITING[scheduler].is_alive():
        WAITING[scheduler] = threading.Timer(delay, scheduler._open_jobs.release)
        WAITING[scheduler].start()


def apply() -> None:
    if is_installed("snakemake", "9.27.1"):
        JobScheduler._schedule_reevalutation = look_again
