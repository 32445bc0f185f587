"""Set-up for a SLURM cluster: `python -m on_slurm.setup [CONFIG ...]` (make slurm-setup).

Asks the cluster for its partitions, writes them to profiles/slurm/partitions.yaml, from which the
SLURM executor chooses a job's partition, and lets SLURM check one job of every kind that the
configuration plans (`sbatch --test-only`, which starts nothing).

CONFIG: files that are laid over config/config.yaml, as `--configfile` takes them.
"""

import argparse
import sys
from pathlib import Path

import yaml

from selma3d.system.atomic import publish
from selma3d.system.errors import InputError

from .accounting import Accounting, asked_accounting
from .partitions import Partition, as_file, asked_partitions
from .placement import Placement, placed, tried
from .planned_jobs import ROOT, planned_kinds

PROFILE = ROOT / "profiles" / "slurm"
NO_SUCH_NODE = "node configuration is not available"  # SLURM's words: no node is that large


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
        accounting = asked_accounting()
        partitions = usable(asked_partitions(accounting), accounting)
        print(as_table(partitions_table(partitions)))
        with publish(given.file) as partial:
            partial.write_text(as_file(partitions))
        print(f"written: {given.file}\n", *limits(accounting, partitions), "", sep="\n")
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
    account, qos = stated()
    options = {"account": account, "qos": qos}
    if constraint:
        profile = yaml.safe_load((PROFILE / "config.yaml").read_text())
        options["constraint"] = profile.get("default-resources", {}).get("constraint")
    return [f"--{option}={value}" for option, value in options.items() if value]


def stated() -> tuple[str, str]:
    """Account and QOS that the profile states for all jobs; empty where it states none."""
    profile = yaml.safe_load((PROFILE / "config.yaml").read_text())
    account = profile.get("default-resources", {}).get("slurm_account")
    return str(account or ""), str(profile.get("slurm-qos") or "")


def usable(partitions: list[Partition], accounting: Accounting) -> list[Partition]:
    """Partitions as far as the accounting lets jobs of the profile use them."""
    _, of_jobs = accounting.of_jobs(*stated())
    return [each.within(of_jobs.under(accounting.of_qos(each.qos))) for each in partitions]


def limits(accounting: Accounting, partitions: list[Partition]) -> list[str]:
    """The user's accounts and QOS, what they limit, and what to set; a line each."""
    if not accounting.associations:
        return ["accounts: this SLURM keeps none"]
    account, qos = stated()
    named, of_jobs = accounting.of_jobs(account, qos)
    told = [(f"account {each.account}", each.limits) for each in accounting.associations]
    told += [(f"QOS {named}, of your jobs", accounting.of_qos(named))] if named else []
    of_partitions = {each.qos: each.name for each in partitions if each.qos and not each.left_out}
    for name, partition in sorted(of_partitions.items()):
        told.append((f"QOS {name}, of jobs in {partition}", accounting.of_qos(name)))
    lines = [f"{name}: {limit.text or 'no limit'}" for name, limit in told]
    others = accounting.usable_qos - {named, *of_partitions}
    for name in sorted(others):
        lines.append(f"QOS {name}, not used: {accounting.of_qos(name).text or 'no limit'}")
    every = [of_jobs, *(of_jobs.under(accounting.of_qos(name)) for name in of_partitions)]
    if numbers := [each.submitted for each in every if each.submitted is not None]:
        lines.append(f"  set `jobs: {max(1, min(numbers) - 2)}` or less in the profile")
    if len(accounting.accounts) > 1 and not account:
        lines.append("several accounts: state one as slurm_account in profiles/slurm/config.yaml")
    return lines


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
    too_large = refused.partition is None or NO_SUCH_NODE in refused.answer
    if refused.kind.request.gpus and too_large:
        return (
            "ask for less in `resources` of the configuration (training_threads, training_mem_mb, "
            "*_minutes: a training that ends at its limit continues), or add a partition"
        )
    if too_large:
        rule = refused.kind.rules[0][0]
        return (
            f"give it less in profiles/slurm/config.yaml (`set-resources: {rule}: "
            "{runtime: 720, mem_mb: 2000}`; conversions and segmentations continue in a new job "
            "when their time is up), or add a partition"
        )
    return "ask your site what it wants, then edit the file or profiles/slurm/config.yaml"


if __name__ == "__main__":
    sys.exit(main())
