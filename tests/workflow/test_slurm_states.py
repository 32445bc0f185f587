"""Claims about what SLURM's answers, and its silence, mean to Snakemake's executor."""

from __future__ import annotations

import asyncio
import logging

from selma3d.system.slurm_states import mend_executor, usable


def asked(states: dict[str, str] | None, seconds: float | None) -> dict[str, str]:
    async def query(command, logger):
        return states, seconds

    return asyncio.run(usable(query)("squeue", logging.getLogger()))[0]


def test_no_answer_says_nothing_about_any_job(caplog):
    assert asked(None, None) == {}
    assert "asking again later" in caplog.text


def test_a_state_is_its_first_word():
    found = asked({"7": "CANCELLED by 1000", "8": "RUNNING", "9": ""}, 0.1)
    assert found == {"7": "CANCELLED", "8": "RUNNING", "9": ""}


def test_the_executor_is_mended_once():
    import snakemake_executor_plugin_slurm as plugin

    mend_executor()
    mended = plugin.query_job_status
    mend_executor()
    assert plugin.query_job_status is mended and mended.usable
