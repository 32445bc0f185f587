"""Snakemake itself as a SLURM job: `python -m on_slurm.submit [CONFIG and OPTIONS]` (make submit).

A run of days should not hang on a terminal, and login nodes end long processes. The job asks for 2
CPUs and as long a time as a partition gives. Two minutes before its limit Snakemake is killed, the
job is requeued under its own number, and the next Snakemake takes the run over: jobs go on
meanwhile, and are waited for, not done again.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from snakemake import cli
from snakemake_executor_plugin_slurm.partitions import Partition, read_partition_file
from snakemake_interface_common.exceptions import WorkflowError

from selma3d.challenge.config import read_config
from selma3d.challenge.layout import Layout
from selma3d.system.errors import InputError

from .planned_jobs import ROOT
from .setup import PROFILE, defaults

LONGEST_MIN = 7 * 24 * 60  # where the partition sets no limit
BEFORE_LIMIT_S = 120  # rounded up by SLURM to as much as a minute more
NAME = "selma3d-run"
# Job control, since a shell's background jobs ignore SIGINT without it.
SCRIPT = """\
#!/bin/bash
set -m
again() {{
  echo "$(date '+%F %T') the time of this job is up: it is requeued, and continues"
  kill -KILL "$child"
  if scontrol requeue "$SLURM_JOB_ID"; then sleep 600; fi
  echo "this SLURM does not requeue it: type make submit again; its jobs go on meanwhile"
  exit 1
}}
trap again USR1
trap 'kill -INT "$child"' INT TERM
{command} &
child=$!
while wait "$child"; code=$?; kill -0 "$child" 2>/dev/null; do :; done
exit "$code"
"""


def main(arguments: list[str] | None = None) -> int:
    """Submit the run; 0, or 1 where SLURM refuses it."""
    parser = argparse.ArgumentParser(
        prog="make submit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # what is not known here is Snakemake's
    )
    parser.add_argument("--partitions", type=Path, default=PROFILE / "partitions.yaml")
    parser.add_argument("--partition", help="of the job; none: that with the longest jobs")
    parser.add_argument(
        "--minutes", type=int, help="of the job; none: as long as a partition gives"
    )
    parser.add_argument("--configfile", type=Path, nargs="+", default=[])
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE")
    given, options = parser.parse_known_args(arguments)
    try:
        keys = cli.parse_config(given.config)
        layout = Layout(read_config(ROOT, given.configfile, keys).results)
        name, minutes = longest(partitions_in(given.partitions), given.partition)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    log = Path(layout.submit_log)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [
        "sbatch",
        "--parsable",
        "--job-name",
        NAME,
        *options_of_job(given.minutes or minutes),
    ]
    site = defaults(constraint=True)
    command += [*(["-p", name] if name else []), *site, "--output", str(log)]
    script = SCRIPT.format(command=shlex.join(run(given.configfile, given.config, options)))
    ran = subprocess.run(
        command, input=script, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        print(f"error: sbatch: {' '.join(ran.stderr.split())}", file=sys.stderr)
        return 1
    job = ran.stdout.strip()
    print(f"job {job} runs Snakemake{f' on partition {name}' if name else ''}")
    layers = " ".join(map(str, given.configfile))
    status = f"make status CONFIG={shlex.quote(layers)}" if layers else "make status"
    print(f"log: {log}\nhow far it is: {status}")
    print(f"to end it and its jobs: scancel --signal=INT --batch {job}")
    return 0


def partitions_in(file: Path) -> list[Partition]:
    """Partitions of the executor's file; InputError where it cannot read them."""
    try:
        return read_partition_file(file)
    except (WorkflowError, TypeError, ValueError, KeyError) as error:
        raise InputError(f"{file}: {' '.join(str(error).split())}") from None


def longest(partitions: list[Partition], wanted: str | None = None) -> tuple[str | None, int]:
    """The partition that gives most time, one without GPUs if there is one, and its minutes.

    wanted: this one, whether the file knows it or not.
    """
    if wanted:
        partitions = [each for each in partitions if each.name == wanted]
    if not partitions:
        return wanted, LONGEST_MIN
    without = [each for each in partitions if not each.limits.max_gpu] or partitions
    best = max(without, key=lambda each: min(each.limits.max_runtime, LONGEST_MIN))
    return best.name, int(min(best.limits.max_runtime, LONGEST_MIN))


def options_of_job(minutes: int) -> list[str]:
    """Options of sbatch: small, long, told before its end, and requeued under its own number."""
    asked = [f"--time={minutes}", "--cpus-per-task=2", "--mem=4000", "--ntasks=1"]
    return [*asked, "--requeue", "--open-mode=append", f"--signal=B:USR1@{BEFORE_LIMIT_S}"]


def run(configs: list[Path], keys: list[str], options: list[str]) -> list[str]:
    """The command that runs Snakemake as the one owner of its results."""
    layered = ["--configfile", *map(str, configs)] if configs else []
    layered += ["--config", *keys] if keys else []
    script = ROOT / "workflow" / "run.py"
    # Both take all that follows up to an option, as a target among the options would.
    return [sys.executable, str(script), *layered, "--profile", "slurm", *options]


if __name__ == "__main__":
    sys.exit(main())
