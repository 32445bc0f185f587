"""Command that runs Snakemake as the only owner of its results: `run.py <as for snakemake>`.

Snakemake's lock has no owner in it: after a kill it stays, and nobody can tell whether its run
lives. This command takes a lease of the results folder (host, process, heartbeat) and then runs
Snakemake in this process. Where a dead owner has left the lease, `snakemake --unlock` is called
first; jobs that the dead owner had started on this host end by themselves (`job.py`). Where the
owner lives, it is named and nothing is started.

The terminal shows what matters: progress, failures, the leaderboard. Snakemake's own log is added
to `<results>/logs/snakemake.log`. Plain `snakemake` works and prints as ever, and knows nothing of
the lease.
"""

import contextlib
import csv
import io
import json
import logging
import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "workflow" / "logger")]

from snakemake import cli  # noqa: E402 - looks for its plugins on the path

from job import RUN_OWNER  # noqa: E402 - found by the line above
from selma3d.challenge import Challenge  # noqa: E402
from selma3d.challenge.config import read_config  # noqa: E402
from selma3d.challenge.layout import Layout  # noqa: E402
from selma3d.system.atomic import open_own  # noqa: E402
from selma3d.system.errors import InputError  # noqa: E402
from selma3d.system.lease import Lease, Owner  # noqa: E402
from selma3d.system.process_name import ProcessName  # noqa: E402

log = logging.getLogger("selma3d.run")

# What only reads finished predictions, and can therefore run beside the run that makes them.
AFTER_PREDICTION = (
    *("score", "metrics_json", "rank", "cost"),
    *("figures", "panels", "histories", "tables", "gallery", "report", "paper", "all"),
)


def main(arguments: list[str]) -> None:
    """Run Snakemake with these arguments; exits with its code, or 1 where a run lives already."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logging.getLogger("selma3d").addHandler(handler)
    given = parsed(arguments)
    if given is None or given.unlock:
        cli.main(arguments)  # starts no job
    try:
        # Before Snakemake reads the files itself: it would replace each alias in them.
        config = read_config(ROOT, given.configfile or [], cli.parse_config(given.config))
        if given.dryrun:
            cli.main(arguments)
        directory = Path(given.directory or ".").resolve()
        results = directory / config.results
        beside = config.partial and run_may_live(results)
        with owned(lease_folder(results, beside), arguments):
            own = only_after_prediction() if beside else []
            sys.exit(shown([*own, *arguments], Challenge(config, ROOT), directory))
    except InputError as error:
        log.error("error: %s", error)
        sys.exit(1)


def shown(arguments: list[str], challenge: Challenge, directory: Path) -> int:
    """Run Snakemake with its log in a file and what matters on the terminal; its exit code."""
    config = challenge.config
    layout = Layout(str(directory / config.results), config.partial)
    own_log = Path(layout.run_log)
    methods, structures = ", ".join(challenge.methods), ", ".join(challenge.structures)
    print(f"SELMA3D challenge, edition {config.edition}: {methods} on {structures}", flush=True)
    print(f"results: {relative(layout.scored_root)}\nlog: {relative(own_log)}", flush=True)
    began = time.monotonic()
    with output_to(own_log) as terminal:
        plugin = ["--logger", "selma3d", "--logger-selma3d-terminal", str(terminal)]
        try:
            cli.main([*plugin, *arguments])
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    if code:
        print(f"ended with errors after {minutes}:{seconds:02d}; the same command continues")
        return code
    print(f"done in {minutes}:{seconds:02d}")
    for track in config.tracks:
        print_leaderboard(Path(layout.ranking("leaderboard", track)), track)
    if Path(layout.report).exists():
        print(f"report: {relative(layout.report)}")
    return 0


@contextlib.contextmanager
def output_to(file: Path) -> Iterator[int]:
    """Add all output of this process and its children to a file; yields the terminal."""
    file.parent.mkdir(parents=True, exist_ok=True)
    saved = [os.dup(1), os.dup(2)]
    with open_own(file, "a") as log_file:
        sys.stdout.flush()
        os.dup2(log_file.fileno(), 1)
        os.dup2(log_file.fileno(), 2)
    try:
        yield saved[0]
    finally:
        sys.stdout.flush()
        for number, terminal in zip((1, 2), saved, strict=True):
            os.dup2(terminal, number)
            os.close(terminal)


def print_leaderboard(file: Path, track: str, rows: int = 5) -> None:
    """The first entrants of a track."""
    if not file.exists():
        return
    with file.open() as table:
        entrants = list(csv.DictReader(table, delimiter="\t"))
    print(f"leaderboard, {track}, {min(rows, len(entrants))} of {len(entrants)} entrants:")
    for row in entrants[:rows]:
        entrant = f"{row['method']} {row['init']}".removesuffix(" default")
        print(f"  {row['place']:>3}  {entrant:<28} mean rank {float(row['mean_rank']):.2f}")


def relative(path: str | Path) -> str:
    """A path as short as it can be read from here."""
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def parsed(arguments: list[str]) -> Namespace | None:
    """Snakemake's own reading of its arguments, profiles included; None if it refuses them."""
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        return cli.parse_args(arguments)[1]
    return None


def lease_folder(results: Path, beside: bool = False) -> Path:
    """Where the owner of a results folder is named; a ranking beside it has an owner of its own."""
    return Path(Layout(str(results)).owner(beside))


def run_may_live(results: Path) -> bool:
    """Whether some run owns these results and is not known to be dead."""
    owner = Owner.read(lease_folder(results))
    return owner is not None and owner.process.lives() is not False


def only_after_prediction() -> list[str]:
    """Arguments that keep Snakemake from making what the living run may be making."""
    print("a run is at work: what is finished is ranked beside it, nothing else is made")
    return ["--allowed-rules", *AFTER_PREDICTION, "--nolock"]


@contextlib.contextmanager
def owned(folder: Path, arguments: list[str]) -> Iterator[None]:
    """Own these results, and let the jobs that are started know their owner."""
    with Lease(folder, role="run", patience_s=0) as lease:
        if lease.taken_over:
            log.warning("its lock is removed (snakemake --unlock)")
            # Of every run in this working directory, as whenever one ends: the leases stay.
            command = [sys.executable, "-m", "snakemake", "--unlock", *arguments]
            unlocked = subprocess.run(command, capture_output=True, text=True, check=False)
            if unlocked.returncode:
                log.error("%s", unlocked.stderr)
        os.environ[RUN_OWNER] = json.dumps(asdict(ProcessName.own()))
        yield


if __name__ == "__main__":
    main(sys.argv[1:])
