"""Set-up for a SLURM cluster: `python -m on_slurm.setup [CONFIG ...]` (make slurm-setup).

Asks the cluster for its partitions, writes them to profiles/slurm/partitions.yaml, from which the
SLURM executor chooses a job's partition, and lets SLURM check one job of every kind that the
configuration plans (`sbatch --test-only`, which starts nothing).

CONFIG: files that are laid over config/config.yaml, as `--configfile` takes them.
"""

import argparse
import getpass
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from selma3d.system.atomic import publish
from selma3d.system.errors import InputError

from .partitions import Partition, as_file, asked_partitions
from .placement import Placement, placed, tried
from .planned_jobs import ROOT, planned_kinds

PROFILE = ROOT / "profiles" / "slurm"


def main(arguments: list[str] | None = None) -> int:
    """Set up; 0 where SLURM accepts every kind of job, else 1."""
    parser = argparse.ArgumentParser(
        prog="make slurm-setup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", nargs="*", type=Path)
    parser.add_argument("--file", type=Path, default=PROFILE / "partitions.yaml")
    given = parser.parse_args(arguments)
    try:
        partitions = asked_partitions()
        print(as_table(partitions_table(partitions)))
        with publish(given.file) as partial:
            partial.write_text(as_file(partitions, "make slurm-setup"))
        print(f"written: {given.file}\n", *account(), sep="\n")
        placements = check(given.file, given.config)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(as_table(placements_table(placements)))
    if on_gpus := rules_on_gpus(placements):
        print(f"\nrules with GPUs, for lines of set-resources: {', '.join(on_gpus)}")
    refused = [each for each in placements if not each.accepted]
    for each in refused:
        rules = ", ".join(rule for rule, _ in each.kind.rules)
        print(f"\nrefused: {rules}: {each.answer}\n  {cure(each)}")
    if not refused:
        print(
            "\nSLURM accepts a job of every kind. Start: snakemake --profile slurm (docs/slurm.md)"
        )
    return int(bool(refused))


def check(file: Path, configs: list[Path]) -> list[Placement]:
    """Where each planned kind of job goes, and what SLURM says of it."""
    layered = ["--configfile", *map(str, configs)] if configs else []
    kinds = planned_kinds(["--profile", str(PROFILE), *layered])
    options = defaults()
    return [tried(kind, partition, options) for kind, partition in placed(file, kinds)]


def defaults(*, constraint: bool = False) -> list[str]:
    """Account and QOS that the profile states, as options of sbatch.

    constraint: also the feature of nodes, which a rule's own would replace.
    """
    profile = yaml.safe_load((PROFILE / "config.yaml").read_text())
    of_jobs = profile.get("default-resources", {})
    stated = {"account": of_jobs.get("slurm_account"), "qos": profile.get("slurm-qos")}
    if constraint:
        stated["constraint"] = of_jobs.get("constraint")
    return [f"--{option}={value}" for option, value in stated.items() if value]


def account() -> list[str]:
    """The user's accounts and limits on submissions, where the accounting tells them."""
    if shutil.which("sacctmgr") is None:
        return []
    fields = "account,maxsubmitjobs,grpsubmitjobs"
    command = ["sacctmgr", "--noheader", "--parsable2", "show", "assoc"]
    ran = subprocess.run(
        [*command, f"user={getpass.getuser()}", f"format={fields}"],
        capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip
    rows = sorted({line for line in ran.stdout.splitlines() if line.strip("|")})
    if ran.returncode or not rows:
        return ["accounts: this SLURM keeps none\n"]
    lines = []
    for name, *limits in (row.split("|") for row in rows):
        numbers = [int(limit) for limit in limits if limit.isdigit()]
        lines.append(f"account {name}" + (f": {min(numbers)} jobs at a time" if numbers else ""))
        if numbers:
            lines.append(f"  set `jobs: {max(1, min(numbers) - 5)}` or less in the profile")
    if len(rows) > 1:
        lines.append("several accounts: state one as slurm_account in profiles/slurm/config.yaml")
    return [*lines, ""]


def partitions_table(partitions: list[Partition]) -> list[tuple[str, ...]]:
    """What the cluster told, in rows."""
    return [
        ("partition", "longest job", "CPUs a node", "GB a node", "GPUs a node", "used"),
        *(
            (
                each.name,
                each.max_runtime or "no limit",
                str(each.threads),
                f"{each.mem_mb / 1000:.0f}",
                f"{each.gpus} {' '.join(each.gpu_models)}".strip() if each.gpus else "none",
                f"no, {each.left_out}" if each.left_out else "yes",
            )
            for each in partitions
        ),
    ]


def placements_table(placements: list[Placement]) -> list[tuple[str, ...]]:
    """Kinds of jobs, in rows."""
    rows = [("jobs", "GPUs", "CPUs", "GB", "minutes", "partition", "SLURM", "rules")]
    for each in placements:
        asked = each.kind.request
        shown = [rule for rule, _ in each.kind.rules]
        names = ", ".join(shown[:3]) + (f", {len(shown) - 3} more" if len(shown) > 3 else "")
        rows.append((
            str(each.kind.jobs), f"{asked.gpus} {asked.gpu_model}".strip(), str(asked.threads),
            f"{asked.mem_mb / 1000:.1f}", str(asked.minutes), each.partition or "none",
            "accepts" if each.accepted else "refuses", names,
        ))  # fmt: skip
    return rows


def rules_on_gpus(placements: list[Placement]) -> list[str]:
    """Names of the rules whose jobs ask for GPUs."""
    kinds = [each.kind for each in placements if each.kind.request.gpus]
    return sorted({rule for kind in kinds for rule, _ in kind.rules})


def as_table(rows: list[tuple[str, ...]]) -> str:
    """Rows with their columns in line."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def cure(refused: Placement) -> str:
    """What to change so that a kind of job fits."""
    if refused.kind.request.gpus and refused.partition is None:
        return (
            "ask for less in `resources` of the configuration (training_threads, training_mem_mb, "
            "*_minutes: a training that ends at its limit continues), or add a partition"
        )
    return "ask your site what it wants, then edit the file or profiles/slurm/config.yaml"


if __name__ == "__main__":
    sys.exit(main())
