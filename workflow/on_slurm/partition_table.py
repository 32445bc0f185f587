"""Table of rules with GPUs by shipped configurations: the partition that `snakemake -n` gives each.

`python -m on_slurm.partition_table [PARTITIONS]` prints it for a file of partitions, none: that of
profiles/slurm. Every configuration is planned as on a cluster with GPUs, from nothing.
"""

import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import yaml

from .placement import placed
from .planned_jobs import ROOT, JobKind, planned_kinds

# Files of config/ that are laid over config.yaml, by the name of their column.
SHIPPED: dict[str, tuple[str, ...]] = {
    "config": (),
    "gain": ("gain",),
    "full": ("full",),
    "scaling": ("scaling",),
    "selma2025": ("selma2025",),
    "selma2026": ("selma2026",),
    "demo": ("demo",),
    "controls": ("controls",),
    "methods-phantoms": ("methods-phantoms",),
    "methods-real": ("methods-real",),
    "real": ("real",),
    "real-small": ("real", "real-small"),
    "real-cfos": ("real", "real-cfos"),
    "real-six-brains": ("real", "real-six-brains"),
    "scaling-real": ("real", "scaling-real"),
    "transfer": ("real", "transfer"),
}
WITHOUT_GPU = "all without GPUs"
TARGET = re.compile(r"(?<=predict_).+")  # what rules of one kind are told apart by
Column = dict[str, str]  # partition, or several, by rule


def planned(layers: tuple[str, ...]) -> list[JobKind]:
    """Kinds of jobs of a shipped configuration; InputError where Snakemake cannot plan."""
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder, "cluster.yaml")
        own.write_text(yaml.safe_dump({"results": f"{folder}/none", "resources": {"gpu": 1}}))
        files = [str(ROOT / "config" / f"{layer}.yaml") for layer in layers]
        return planned_kinds(["--profile", "slurm", "--configfile", *files, str(own)])


def partitions_of(kinds: list[JobKind], file: Path) -> Column:
    """Partitions, out of a file of them, of each rule with GPUs, and of all others together.

    The default partition is `default`.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for kind, partition in placed(file, kinds):
        for rule, _ in kind.rules:
            name = TARGET.sub("...", rule) if kind.request.gpus else WITHOUT_GPU
            found[name].add(partition or "default")
    return {name: ", ".join(sorted(partitions)) for name, partitions in found.items()}


def as_markdown(columns: dict[str, Column]) -> str:
    """The table: a row for each rule, a column for each configuration."""
    rules = sorted({rule for column in columns.values() for rule in column} - {WITHOUT_GPU})
    lines = [["rule", *columns], ["---"] * (1 + len(columns))]
    for rule in (*rules, WITHOUT_GPU):
        lines.append([rule, *(column.get(rule, "") for column in columns.values())])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(arguments: list[str]) -> None:
    """Print the table of every shipped configuration."""
    file = Path(arguments[0]) if arguments else ROOT / "profiles" / "slurm" / "partitions.yaml"
    columns = {name: partitions_of(planned(layers), file) for name, layers in SHIPPED.items()}
    print(as_markdown(columns), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
