"""Memory, GPUs and time that a new attempt at a job asks for, by how the one before ended.

Snakemake repeats every failed job (`retries` of a profile), whatever it failed for. What the job
itself, or SLURM, told of its end decides what the next attempt gets (docs/slurm.md has the table).
"""

import subprocess

from selma3d.system import job_state
from selma3d.system.job_state import AT_WORK, FINISHED, MEMORY, JobState

MOST = 4  # times the memory that a rule states
# What a hopeless job asks for that is only to be refused (job.py): it waits for no GPU.
REFUSED_MB, REFUSED_MIN = 1000, 10
# SLURM's words for what no memory would have prevented.
OTHER_ENDS = ("TIMEOUT", "NODE_FAIL", "CANCELLED", "PREEMPTED", "BOOT_FAIL", "DEADLINE")


def last(log: str, attempt: int) -> JobState | None:
    """End of the attempt before; None for the first one, or where it has left no state."""
    return JobState.read(job_state.file_of(log)) if attempt > 1 else None


def memory_mb(stated: int, attempt: int, before: JobState | None) -> int:
    """MB of memory: twice what an attempt had that ended for want of it, else as much as it had.

    One that left no state was killed before its script began: its imports may have been too much.
    At most fourfold: a job that asks for more than any node has would wait for ever.
    """
    if before is None or before.end == FINISHED:
        return min(stated * 2 ** (attempt - 1), MOST * stated)
    if before.hopeless:
        return min(stated, REFUSED_MB)
    most = MOST * stated
    given = min(max(stated, before.mem_mb or 0), most)
    return min(2 * given, most) if ended_for_memory(before) else given


def gpus(stated: int, attempt: int, before: JobState | None) -> int:
    """GPUs: none for a job that is only to be refused."""
    return 0 if before is not None and before.hopeless else stated


def minutes(stated: int, attempt: int, before: JobState | None) -> int:
    """Minutes: few for a job that is only to be refused."""
    return min(stated, REFUSED_MIN) if before is not None and before.hopeless else stated


def ended_for_memory(before: JobState) -> bool:
    """Whether an attempt had too little memory.

    The kernel kills without a word. A job that ended so, and of which SLURM knows no other cause,
    counts: nothing tells it from one that somebody else has killed.
    """
    if before.reason:
        return before.reason == MEMORY
    state = slurm_state(before.slurm_job)
    return state == "OUT_OF_MEMORY" or (before.end == AT_WORK and state not in OTHER_ENDS)


def slurm_state(job: str) -> str:
    """The state of a job that has ended lately, in SLURM's word; empty if unknown."""
    if not job:
        return ""
    command = ["scontrol", "show", "job", "--oneliner", job]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    fields = dict(word.partition("=")[::2] for word in answer.stdout.split())
    return fields.get("JobState", "")
