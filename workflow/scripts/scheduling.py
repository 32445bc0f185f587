"""What Snakemake's scheduler does while jobs run.

Snakemake (9.27) looks for jobs to start whenever one has ended, and once more a second later, since
its limit of starts a second may then be over. Each of those second looks asks for another, so
that a run in which N jobs have ended looks N times a second, in N threads. Here one look at
a time is waited for.
"""

from __future__ import annotations

import threading

from snakemake.scheduling.job_scheduler import JobScheduler


def look_again(scheduler: JobScheduler, delay: float) -> None:
    """Let the scheduler look once more after `delay` seconds, unless it is about to anyway."""
    waiting = getattr(scheduler, "waiting", None)
    if waiting is None or not waiting.is_alive():
        scheduler.waiting = threading.Timer(delay, scheduler._open_jobs.release)
        scheduler.waiting.start()


def mend_scheduler() -> None:
    """Let Snakemake look again in this way."""
    JobScheduler._schedule_reevalutation = look_again
