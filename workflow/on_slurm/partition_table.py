"""Table of rules with GPUs by shipped configurations: the partition of each, as `snakemake -n` plans.

`python -m on_slurm.partition_table [PARTITIONS]` prints it for a file of partitions, none: that of
profiles/slurm. Every configuration is planned as on a cluster with GPUs, from nothing.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

import yaml

from .placement import placed
from .planned_jobs import ROOT, planned_kinds

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
    "scaling-real": ("real", "scaling-real"),
    "transfer": ("real", "transfer"),
}
WITHOUT_GPU = "all without GPUs"
Row = tuple[str, str]  # rule, partition


def planned_jobs(partitions: Path, layers: tuple[str, ...]) -> Counter[Row]:
    """Number of jobs of each rule with GPUs in each partition, and of all others together.

    The default partition is `default`. Raises InputError where Snakemake cannot plan.
    """
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder, "cluster.yaml")
        own.write_text(yaml.safe_dump({"results": f"{folder}/none", "resources": {"gpu": 1}}))
        files = [str(ROOT / "config" / f"{layer}.yaml") for layer in layers]
        kinds = planned_kinds(["--profile", "slurm", "--configfile", *files, str(own)])
    counted: Counter[Row] = Counter()
    for kind, partition in placed(partitions, kinds):
        for rule, number in kind.rules:
            name = rule if kind.request.gpus else WITHOUT_GPU
            counted[name, partition or "default"] += number
    return counted


def as_markdown(columns: dict[str, Counter[Row]]) -> str:
    """The table: a row for each rule and partition, a column for each configuration."""
    rows = sorted({row for counted in columns.values() for row in counted})
    rows.sort(key=lambda row: row[0] == WITHOUT_GPU)
    lines = [["rule", "partition", *columns], ["---"] * (2 + len(columns))]
    lines += [
        [*row, *(str(counted[row]) if counted[row] else "" for counted in columns.values())]
        for row in rows
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(arguments: list[str]) -> None:
    """Print the table of every shipped configuration."""
    file = Path(arguments[0]) if arguments else ROOT / "profiles" / "slurm" / "partitions.yaml"
    print(as_markdown({name: planned_jobs(file, layers) for name, layers in SHIPPED.items()}))


if __name__ == "__main__":
    main(sys.argv[1:])
