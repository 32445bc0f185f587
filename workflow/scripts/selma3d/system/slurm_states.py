"""The states of SLURM jobs as Snakemake's executor can use them.

The executor plugin (2.8.0) asks `squeue` or `sacct` for the states of its jobs. Two answers make it
wait for ever: none, where the controller or the accounting is away for a moment, since it then
forgets the jobs that it asked after; and `CANCELLED by <user>`, which is none of the states that it
knows. Here no answer says nothing about any job, so that all are asked after again, and a state is
its first word.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

Query = Callable[[str, Any], Awaitable[tuple[dict[str, str] | None, float | None]]]

log = logging.getLogger(__name__)


def usable(query: Query) -> Query:
    """A query (command, logger) -> ({job id: state}, seconds) that always has an answer."""

    async def answered(command: str, logger: Any) -> tuple[dict[str, str], float]:
        states, seconds = await query(command, logger)
        if states is None:
            log.warning("SLURM does not tell the states of its jobs: asking again later")
            return {}, 0.0
        return {job: state.partition(" ")[0] for job, state in states.items()}, seconds or 0.0

    answered.usable = True
    return answered


def mend_executor() -> None:
    """Let Snakemake's SLURM executor, where it is installed, use such answers."""
    try:
        import snakemake_executor_plugin_slurm as plugin
    except ImportError:
        return
    if not hasattr(plugin.query_job_status, "usable"):
        plugin.query_job_status = usable(plugin.query_job_status)
