"""Snakemake's plans: quicker, complete, and with their size.

For each job of a rule, Snakemake (9.27) reads the rule's script once more to see that it is there,
asks Python once more for the parameters of each of the rule's functions, and works out the job's
`params` for the sake of a conda environment that is the same for all; for each file that thousands
of jobs read, it searches the rules thousands of times. Here that is found out once.
A plan of 3,000 jobs takes a third less, one of 20,000 two fifths.

And two faults are mended. A job that another has to precede, but whose result it may be older than
(`ancient`), was not asked whether it has to run for reasons of its own when the other one had to:
it ran with the next command, and what follows from it was computed twice (compare its issue 4166).
And `snakemake --dry-run --quiet`, the quick way to plan a large workflow, did not print the number
of jobs that its help promises (its issue 2973).
"""

from __future__ import annotations

import functools
import logging
from collections import deque
from collections.abc import Iterator, Mapping

from snakemake import common, rules
from snakemake.dag import DAG, ScriptProcessor
from snakemake.jobs import Job
from snakemake.logging import DefaultFilter, LogEvent, get_event
from snakemake.output_index import OutputIndex
from snakemake.settings.enums import Quietness


def mend_planning() -> None:
    """Let Snakemake find out once what is the same for all jobs of a rule; mend its two faults."""
    check_scripts_once()
    ask_rules_for_environments()
    find_producers_once()
    ask_behind_ancient()
    print_summaries()
    common.get_function_params = functools.cache(common.get_function_params)
    rules.get_function_params = common.get_function_params


def check_scripts_once() -> None:
    """Look at a script for its rule's first job only, unless a wildcard is in its path."""
    check, checked = ScriptProcessor.process_job, set()

    @functools.wraps(check)
    def process_job(self: ScriptProcessor, job) -> None:
        script = str(getattr(job.rule, self.script_type))
        if (job.rule, script) in checked:
            return
        check(self, job)
        if "{" not in script:
            checked.add((job.rule, script))

    ScriptProcessor.process_job = process_job


def ask_rules_for_environments() -> None:
    """Work out a job's `params` for its conda environment only where a function names that."""
    of_job = Job.conda_env_spec

    def conda_env_spec(self: Job):
        if callable(self.rule.conda_env):
            return of_job.fget(self)
        return self.rule.expand_conda_env(self.wildcards_dict)

    Job.conda_env_spec = property(conda_env_spec, doc=of_job.__doc__)


def find_producers_once() -> None:
    """Search the rules that make a file for the first job that reads it only."""
    search = OutputIndex.match_producers

    @functools.wraps(search)
    def match_producers(self: OutputIndex, targetfile: str) -> set[rules.Rule]:
        found = vars(self).setdefault("found", {})  # other rules come with another index
        if (file := str(targetfile)) not in found:
            found[file] = search(self, targetfile)
        return found[file]

    OutputIndex.match_producers = match_producers


def ask_behind_ancient() -> None:
    """Ask jobs for their own reasons to run, though one that they only have to wait for runs."""
    update = DAG.update_needrun

    @functools.wraps(update)
    async def update_needrun(self: DAG, *arguments, **options) -> None:
        self.bfs = needed_after  # what it finds is not asked, since it has to run in any case
        try:
            await update(self, *arguments, **options)
        finally:
            vars(self).pop("bfs", None)

    DAG.update_needrun = update_needrun


def needed_after(depending: Mapping, job) -> Iterator:
    """A job, and those that have to run after it; not those that may be older."""
    queue, visited = deque([job]), {job}
    while queue:
        yield (job := queue.popleft())
        for later, files in depending[job].items():
            if later not in visited and not all(file.is_ancient for file in files):
                visited.add(later)
                queue.append(later)


def print_summaries() -> None:
    """Let the number of jobs through to where only progress and rules were to be left out."""
    passes = DefaultFilter.filter

    @functools.wraps(passes)
    def filter(self: DefaultFilter, record: logging.LogRecord) -> bool:
        asked = self.dryrun and self.quiet == {Quietness.PROGRESS, Quietness.RULES}
        return (asked and get_event(record) == LogEvent.RUN_INFO) or passes(self, record)

    DefaultFilter.filter = filter
