"""Snakemake's events on the console of `workflow/run.py`: a logger plugin, found by its name.

https://github.com/snakemake/snakemake-interface-logger-plugins. It needs `selma3d` on the path.
"""

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

from selma3d.monitor.console import RunConsole


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """What run.py sets."""

    terminal: int | None = field(
        default=None,
        metadata={"help": "File descriptor to print to", "type": int, "required": True},
    )


class LogHandler(LogHandlerBase):
    """Tells a console what Snakemake's log says; the log itself is written as ever."""

    def __post_init__(self) -> None:
        stream = os.fdopen(os.dup(self.settings.terminal), "w", buffering=1)
        self._console = RunConsole(stream)
        # A job's own error is shown, not what Snakemake makes of it.
        self._job_began = self._job_failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Show an event, or a warning in its first line."""
        console, facts = self._console, vars(record)
        match facts.get("event"):
            case LogEvent.RUN_INFO:
                jobs = {rule: n for rule, n in facts["stats"].items() if rule != "total"}
                console.planned(jobs)
                console.keep_telling()
            case LogEvent.JOB_INFO:
                self._job_began = True
                console.started(facts["jobid"], facts["rule_name"], _log(facts["log"]))
            case LogEvent.JOB_FINISHED:
                console.finished(facts["job_id"])
            case LogEvent.JOB_ERROR:
                self._job_failed = True
                console.failed(facts["jobid"], facts["rule_name"], _log(facts["log"]))
            case LogEvent.ERROR if self._job_failed or (
                self._job_began and facts["exception"] == "RuleException"
            ):
                pass
            case LogEvent.ERROR:
                console.say(f"error: {_shortened(record.getMessage())}")
            case None if record.msg == NOTHING_TO_BE_DONE_MSG:
                console.say("nothing to do: all is there and up to date")
            case None if self._job_failed or record.levelno < logging.WARNING:
                pass
            case None if record.getMessage().strip():
                console.say(record.getMessage().strip().splitlines()[0])

    def close(self) -> None:
        """End the line of progress."""
        self._console.close()
        super().close()

    writes_to_stream = False
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False


def _log(files: list[str]) -> Path | None:
    """The first log file of a job; others are what another program wrote."""
    return Path(files[0]) if files else None


def _shortened(error: str) -> str:
    """An error in one line: of a traceback, which stands in the log, the last one."""
    lines = error.strip().splitlines() or [""]
    return lines[-1] if "Traceback" in error else " ".join(" ".join(lines).split())
