"""States of SLURM jobs that Snakemake's executor loses, so that it waits for ever.

snakemake-executor-plugin-slurm 2.8.0 asks `squeue` or `sacct` for the states of its jobs. Without
an answer, as while the controller or the accounting is away, it forgets the jobs that it has asked
after (https://github.com/snakemake/snakemake-executor-plugin-slurm/issues/207 and 331); and it
doesn't know the state `CANCELLED by <user>` of sacct. A job of state `UNKNOWN` counts as finished
well. Here no answer, and an unknown state, say nothing about a job, so that it is asked after
again, and a state is its first word.
"""

import logging
from collections.abc import Awaitable, Callable

from . import is_installed

Answer = tuple[dict[str, str] | None, float | None]
Query = Callable[[str, logging.Logger], Awaitable[Answer]]

log = logging.getLogger(__name__)


def answered(query: Query) -> Query:
    """A query (command, logger) -> ({job id: state}, seconds) that always has an answer."""

    async def ask(command: str, logger: logging.Logger) -> Answer:
        states, seconds = await query(command, logger)
        if states is None:
            log.warning("SLURM does not tell the states of its jobs: asking again later")
            return {}, 0.0
        words = {job: state.partition(" ")[0] for job, state in states.items()}
        return {job: state for job, state in words.items() if state != "UNKNOWN"}, seconds or 0.0

    return ask


def apply() -> None:
    if is_installed("snakemake-executor-plugin-slurm", "2.8.0"):
        import snakemake_executor_plugin_slurm as plugin

        plugin.query_job_status = answered(plugin.query_job_status)
