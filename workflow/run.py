"""Run the workflow as the one owner of its results: `python workflow/run.py <as for snakemake>`.

Snakemake's lock has no owner in it: after a kill it stays, and nobody can tell whether its run
lives. This command takes a lease of the results folder (host, process, heartbeat) and then runs
Snakemake in this process. Where a dead owner has left the lease, its orphaned jobs on this host are
ended, its lock is removed, and Snakemake continues; where the owner lives, it is named and nothing
is started. Plain `snakemake` works as ever, and knows nothing of the lease.
"""

import contextlib
import io
import logging
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from snakemake import cli

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from selma3d.challenge.configuration import read_config  # noqa: E402
from selma3d.system import orphans  # noqa: E402 - found by the line above
from selma3d.system.errors import InputError  # noqa: E402
from selma3d.system.lease import (  # noqa: E402
    HEARTBEAT,
    STALE_S,
    Lease,
    is_alive_here,
    is_of_this_host,
    name_of,
    read_owner,
)

log = logging.getLogger("selma3d.run")

# What only reads finished predictions, and can therefore run beside the run that makes them.
AFTER_PREDICTION = (
    *("score", "metrics_json", "rank", "cost"),
    *("figure", "panel", "histories", "table", "gallery", "report", "all"),
)


def main(arguments: list[str]) -> None:
    """Run Snakemake with these arguments; exits with its code, or 1 where a run lives already."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logging.getLogger("selma3d").addHandler(handler)
    given = parsed(arguments)
    if given is None or given.dryrun or given.unlock:
        cli.main(arguments)  # starts no job
    try:
        config = read_config(ROOT, given.configfile or [], cli.parse_config(given.config))
        directory = Path(given.directory or ".").resolve()
        results = directory / str(config["results"])
        beside = config["partial"] and run_may_live(results)
        folder = lease_folder(results, beside)
        with clean_ownership(folder, directory, results):
            cli.main([*arguments, *(only_after_prediction() if beside else [])])
    except InputError as error:
        log.error("error: %s", error)
        sys.exit(1)


def parsed(arguments: list[str]) -> Namespace | None:
    """Snakemake's own reading of its arguments, profiles included; None if it refuses them."""
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        return cli.parse_args(arguments)[1]
    return None


def lease_folder(results: Path, beside: bool = False) -> Path:
    """Where the owner of a results folder is named; a ranking beside it has an owner of its own."""
    return results / "work" / ("run-beside" if beside else "run")


def run_may_live(results: Path) -> bool:
    """Whether some run owns these results and is not known to be dead."""
    owner = read_owner(lease_folder(results))
    return bool(owner) and is_alive_here(owner) is not False


def only_after_prediction() -> list[str]:
    """Arguments that keep Snakemake from making what the living run may be making."""
    log.info("a run is at work: what is finished is ranked beside it, nothing else is made")
    return ["--allowed-rules", *AFTER_PREDICTION, "--nolock"]


@contextlib.contextmanager
def clean_ownership(folder: Path, directory: Path, results: Path) -> Iterator[None]:
    """Own these results, with what a dead owner has left behind cleared away."""
    last_beat = modified(folder / HEARTBEAT)
    with Lease(folder, role="run", patience_s=0) as lease:
        if dead := lease.predecessor:
            if is_of_this_host(dead):
                orphans.stop_orphans(folder)
            for lock in locks_of_dead_run(directory, results, last_beat):
                lock.unlink()
                log.warning("%s: removed, %s is dead", lock, name_of(dead))
        orphans.mark(folder)
        yield


def locks_of_dead_run(directory: Path, results: Path, last_beat: float) -> list[Path]:
    """Lock files of the working directory that name these results and are as old as their run.

    Runs of other results share the directory and may live; so may a plain Snakemake that was
    started after the run had ended.
    """
    found = []
    for lock in sorted((directory / ".snakemake" / "locks").glob("*.lock")):
        paths = (Path(os.path.normpath(directory / line)) for line in lock.read_text().splitlines())
        names_results = any(path.is_relative_to(results) for path in paths)
        if names_results and modified(lock) <= last_beat + STALE_S:
            found.append(lock)
    return found


def modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


if __name__ == "__main__":
    main(sys.argv[1:])
