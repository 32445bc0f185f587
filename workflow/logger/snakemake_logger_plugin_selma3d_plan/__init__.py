"""Planned jobs as lines of JSON: a logger plugin for dry runs, found by its name.

https://github.com/snakemake/snakemake-interface-logger-plugins
"""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """Where the plan is written."""

    file: Path | None = field(
        default=None,
        metadata={"help": "File to write one line a job to", "type": Path, "required": True},
    )


class LogHandler(LogHandlerBase):
    """Writes rule, threads and resources of each job that Snakemake plans."""

    def __post_init__(self) -> None:
        self._plan = self.settings.file.open("w")

    def emit(self, record: logging.LogRecord) -> None:
        """Write a planned job; everything else is Snakemake's own log's."""
        facts = vars(record)
        if facts.get("event") == LogEvent.JOB_INFO:
            asked = {
                name: value
                for name, value in facts["resources"].items()
                if not name.startswith("_") and isinstance(value, int | str)
            }
            job = {"rule": facts["rule_name"], "threads": facts["threads"], "resources": asked}
            self._plan.write(f"{json.dumps(job)}\n")

    def close(self) -> None:
        """Close the file."""
        self._plan.close()
        super().close()

    writes_to_stream = False
    writes_to_file = True
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    @property
    def baseFilename(self) -> str:  # noqa: N802 - the name that Snakemake asks for
        """The file, as Snakemake names it where it lists its logs."""
        return str(self.settings.file)
