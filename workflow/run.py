"""Run the workflow as the one owner of its results: `python workflow/run.py <as for snakemake>`.

Snakemake's lock has no owner in it: after a kill it stays, and nobody can tell whether its run
lives. This command takes a lease of the results folder (host, process, heartbeat) and then runs
Snakemake in this process. Where a dead owner has left the lease, `snakemake --unlock` is called
first; jobs that the dead owner had started on this host end by themselves (`job.py`). Where the
owner lives, it is named and nothing is started. Plain `snakemake` works as ever, and knows nothing
of the lease.
"""

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from snakemake import cli

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from job import RUN_OWNER  # noqa: E402 - found by the line above
from selma3d.challenge.configuration import read_config  # noqa: E402
from selma3d.system.errors import InputError  # noqa: E402
from selma3d.system.lease import Lease, Owner  # noqa: E402
from selma3d.system.process import ProcessName  # noqa: E402

log = logging.getLogger("selma3d.run")

# What only reads finished predictions, and can therefore run beside the run that makes them.
AFTER_PREDICTION = (
    *("score", "metrics_json", "rank", "cost"),
    *("figures", "panels", "histories", "tables", "gallery", "report", "all"),
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
        with owned(folder, arguments):
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
    owner = Owner.read(lease_folder(results))
    return owner is not None and owner.process.lives() is not False


def only_after_prediction() -> list[str]:
    """Arguments that keep Snakemake from making what the living run may be making."""
    log.info("a run is at work: what is finished is ranked beside it, nothing else is made")
    return ["--allowed-rules", *AFTER_PREDICTION, "--nolock"]


@contextlib.contextmanager
def owned(folder: Path, arguments: list[str]) -> Iterator[None]:
    """Own these results, and let the jobs that are started know their owner."""
    with Lease(folder, role="run", patience_s=0) as lease:
        if lease.taken_over:
            log.warning("its lock is removed (snakemake --unlock)")
            # Of every run in this working directory, as whenever one ends: the leases stay.
            command = [sys.executable, "-m", "snakemake", "--unlock", *arguments]
            subprocess.run(command, check=False)
        os.environ[RUN_OWNER] = json.dumps(asdict(ProcessName.own()))
        yield


if __name__ == "__main__":
    main(sys.argv[1:])
